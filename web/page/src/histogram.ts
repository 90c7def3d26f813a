import { fetchJson, parametersOf, type HeatStyle, type KilnLegend } from 'kiln-leaflet';

import { BASE, type Statistics } from './catalog.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 34;

/** A histogram of the layer's values above the color bar of the legend. */
export class Histogram {
  private pending: AbortController | null = null;
  private shown: number[] | null = null;

  constructor(private readonly legend: KilnLegend) {}

  /** Shows the histogram of the tiles at a zoom. */
  async show(layer: string, { opacity: _, ...style }: HeatStyle, zoom: number): Promise<void> {
    this.pending?.abort();
    this.hold();
    const { signal } = (this.pending = new AbortController());
    const parameters = parametersOf(style);
    parameters.set('zoom', String(zoom));
    const statistics = await fetchJson<Statistics>(`${BASE}/${layer}/statistics?${parameters}`, { signal }).catch(() => null);
    if (!signal.aborted) this.draw(statistics?.zooms[0]?.histogram ?? null);
  }

  /** Shows the current bars in a legend that was drawn again, or an empty box of their height, so that the legend does not jump. */
  hold(): void {
    this.draw(this.shown);
  }

  private draw(bars: number[] | null): void {
    this.shown = bars;
    const box = this.legend.getContainer();
    box?.querySelector('.histogram')?.remove();
    const bar = box?.querySelector('.kiln-legend-bar');
    if (!bar) return;
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('class', 'histogram');
    bar.before(svg);
    const most = Math.max(...(bars ?? []));
    if (!bars || !(most > 0)) return svg.setAttribute('aria-hidden', 'true');
    svg.setAttribute('viewBox', `0 0 ${bars.length} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', 'Histogram of pixel values');
    bars.forEach((share, i) => {
      // The square root keeps rare values visible.
      const height = share > 0 ? Math.max(1, HEIGHT * Math.sqrt(share / most)) : 0;
      const rect = document.createElementNS(SVG, 'rect');
      for (const [name, value] of Object.entries({ x: i + 0.06, y: HEIGHT - height, width: 0.88, height })) {
        rect.setAttribute(name, String(value));
      }
      const title = document.createElementNS(SVG, 'title');
      title.textContent = `${(100 * share).toFixed(share < 0.01 ? 2 : 1)} % of the pixels`;
      rect.append(title);
      svg.append(rect);
    });
  }
}
