import { fetchJson, parametersOf, type HeatStyle } from 'kiln-leaflet';

import { BASE, type Statistics } from '../catalog.js';

const SVG = 'http://www.w3.org/2000/svg';
const BINS = 72;
const HEIGHT = 26;

/** Bars of the numbers of points over time, above the sliders of a time range. */
export class TimeBars {
  private pending: AbortController | null = null;
  private shown = '';
  private bars: { start: number; end: number; element: SVGRectElement }[] = [];

  constructor(private readonly box: HTMLElement) {}

  /** Loads the bars of a layer with a filter, without its time range. */
  async load(layer: string, version: string, { start: _start, end: _end, ...filter }: HeatStyle): Promise<void> {
    const parameters = parametersOf(filter);
    parameters.set('zoom', '0');
    parameters.set('bins', String(BINS));
    const url = `${BASE}/${layer}/statistics?${parameters}`;
    const key = `${url} ${version}`;
    if (key === this.shown) return;
    this.shown = key;
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    // Without bars the sliders stay usable.
    const statistics = await fetchJson<Statistics>(url, { signal, cache: 'no-cache' }).catch(() => null);
    if (signal.aborted) return;
    if (!statistics) this.shown = '';
    this.draw(statistics?.distributions?.times ?? null);
  }

  clear(): void {
    this.pending?.abort();
    this.shown = '';
    this.draw(null);
  }

  /** Places the bars in a time range, and highlights those of a window. */
  place([first, last]: [number, number], [from, to]: [number, number]): void {
    for (const { start, end, element } of this.bars) {
      const [left, right] = [start, end].map((time) => (100 * (time - first)) / (last - first)) as [number, number];
      element.setAttribute('x', String(left + 0.06 * (right - left)));
      element.setAttribute('width', String(Math.max(0.88 * (right - left), 0.1)));
      const middle = (start + end) / 2;
      element.classList.toggle('in', middle >= from && middle <= to);
    }
  }

  private draw(times: { start: string; end: string; points: number[] } | null): void {
    this.bars = [];
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', `0 0 100 ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', 'Points over time');
    if (times) {
      const [first, last] = [Date.parse(times.start), Date.parse(times.end)];
      const most = Math.max(...times.points, 1);
      const width = (last - first) / times.points.length;
      times.points.forEach((points, i) => {
        const element = document.createElementNS(SVG, 'rect');
        const height = points ? Math.max(1, (HEIGHT * points) / most) : 0;
        element.setAttribute('y', String(HEIGHT - height));
        element.setAttribute('height', String(height));
        svg.append(element);
        this.bars.push({ start: first + i * width, end: first + (i + 1) * width, element });
      });
    }
    this.box.replaceChildren(svg);
    this.redrawn();
  }

  /** Called after new bars have been drawn. */
  redrawn: () => void = () => undefined;
}
