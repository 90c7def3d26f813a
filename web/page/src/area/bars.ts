const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 40;

/** A small histogram. The square root of the counts keeps rare values visible. */
export function bars(counts: number[], label: string): HTMLElement {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${counts.length} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label, class: 'bars' })) {
    svg.setAttribute(name, value);
  }
  const most = Math.max(...counts, 1);
  counts.forEach((count, i) => {
    const height = count ? Math.max(1.5, HEIGHT * Math.sqrt(count / most)) : 0;
    const bar = document.createElementNS(SVG, 'rect');
    for (const [name, value] of Object.entries({ x: i + 0.06, y: HEIGHT - height, width: 0.88, height })) bar.setAttribute(name, String(value));
    const title = document.createElementNS(SVG, 'title');
    title.textContent = `${count.toLocaleString('en')} ${count === 1 ? 'point' : 'points'}`;
    bar.append(title);
    svg.append(bar);
  });
  const box = document.createElement('div');
  box.append(svg);
  return box;
}
