import type { Legend } from './client.js';
import { readableLegend } from './readable.js';

/** Returns an empty box for a legend. */
export function legendBox(): HTMLElement {
  const box = document.createElement('figure');
  box.className = 'kiln-legend';
  box.setAttribute('aria-label', 'Legend');
  return box;
}

/** Draws the color scale in real units into a box that is on the page. Default of `heading`: the title of the legend. */
export function drawLegend(box: HTMLElement, legend: Legend, heading = legend.title): void {
  const title = element('figcaption', 'kiln-legend-title', heading);
  const bar = element('div', 'kiln-legend-bar');
  bar.style.background = `linear-gradient(to right, ${legend.colors.join(', ')})`;
  const ticks = element('div', 'kiln-legend-ticks');
  const readable = readableLegend(legend);
  for (const { position, label } of readable.ticks) {
    const tick = element('span', 'kiln-legend-tick', label);
    tick.style.left = `${100 * position}%`;
    ticks.append(tick);
  }
  const unit = element('div', 'kiln-legend-unit', readable.unit);
  title.title = heading;
  unit.title = readable.unit;
  box.replaceChildren(title, bar, ticks, unit);
  spread(ticks);
}

function element(tag: keyof HTMLElementTagNameMap, className: string, text = ''): HTMLElement {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** Removes labels that overlap: keeps every second one, every third one, and so on, until the rest fits. */
function spread(ticks: HTMLElement): void {
  const GAP_PX = 7;
  const all = [...ticks.children] as HTMLElement[];
  const { left: start, right: stop } = ticks.getBoundingClientRect();
  for (const tick of all) {
    const { left, right } = tick.getBoundingClientRect();
    if (left < start - 6) tick.classList.add('kiln-first');
    else if (right > stop + 6) tick.classList.add('kiln-last');
  }
  const boxes = all.map((tick) => tick.getBoundingClientRect());
  const fits = (step: number) => boxes.every((box, i) => i < step || i % step > 0 || box.left >= boxes[i - step]!.right + GAP_PX);
  let step = 1;
  while (step < all.length && !fits(step)) step++;
  // On a non-linear scale labels crowd at one end only. Remove just those that overlap.
  const kept = step <= 3 ? all.filter((_, i) => i % step === 0) : all;
  let end = -Infinity;
  for (const tick of all) {
    const { left, right } = boxes[all.indexOf(tick)]!;
    if (!kept.includes(tick) || left < end + GAP_PX) tick.remove();
    else end = right;
  }
}
