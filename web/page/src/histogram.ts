import { ask, parametersOf, type HeatStyle, type KilnLegend } from 'kiln-leaflet';

import { BASE, type Statistics } from './catalog.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 34;

/** How the layer's values lie on the colors: bars on top of the legend's. */
export class Histogram {
  private underWay: AbortController | null = null;

  constructor(private readonly legend: KilnLegend) {}

  /** Draws that of the tiles of a zoom. */
  async show(layer: string, { opacity: _, ...style }: HeatStyle, zoom: number): Promise<void> {
    this.underWay?.abort();
    const { signal } = (this.underWay = new AbortController());
    const parameters = parametersOf(style);
    parameters.set('zoom', String(zoom));
    const told = await ask<Statistics>(`${BASE}/${layer}/statistics?${parameters}`, { signal }).catch(() => null);
    if (!signal.aborted) this.draw(told?.zooms[0]?.histogram ?? null);
  }

  private draw(bars: number[] | null): void {
    const box = this.legend.getContainer();
    box?.querySelector('.histogram')?.remove();
    const bar = box?.querySelector('.kiln-legend-bar');
    if (!bar || !bars?.length) return;
    const most = Math.max(...bars);
    if (!(most > 0)) return;
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('class', 'histogram');
    svg.setAttribute('viewBox', `0 0 ${bars.length} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', 'How many pixels of the map have which value');
    bars.forEach((share, i) => {
      // The root lets rare values be seen beside common ones.
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
    bar.before(svg);
  }
}
