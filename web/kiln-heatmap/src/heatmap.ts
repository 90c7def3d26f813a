import { request, urlOf } from '../../kiln-client/src/client.js';
import { HeatCanvas } from '../../kiln-client/src/canvas/heat-canvas.js';
import { OverlayGrid, profileOf, type Dots, type Profile } from '../../kiln-client/src/canvas/overlay-grid.js';
import { paletteOf, stopsOf } from '../../kiln-client/src/canvas/palette.js';
import { Points } from '../../kiln-client/src/canvas/points.js';
import { accessOf, isServerLayer, styleOf, type ServerLayer } from '../../kiln-client/src/server-layer.js';
import { parametersOf } from '../../kiln-client/src/style.js';
import type { Extrema, Heatmap, HeatmapConfiguration, HeatmapData, HeatmapPoint } from './types.js';

const GRADIENT = { 0.25: 'rgb(0,0,255)', 0.55: 'rgb(0,255,0)', 0.85: 'yellow', 1.0: 'rgb(255,0,0)' };
const DEFAULTS = { radius: 40, blur: 0.85, opacity: 0, maxOpacity: 1, minOpacity: 0, gradient: GRADIENT as Record<string, string>, xField: 'x', yField: 'y', valueField: 'value' };

/** The lowest opacity of a dot. */
const LEAST = 0.01;

type Settings = typeof DEFAULTS & HeatmapConfiguration;

/** A point of the page. */
interface Dotted {
  x: number;
  y: number;
  value: number;
  radius: number;
}

/** A heat map in an element, drawn with the next frame of the screen after each change. */
export class KilnHeatmap implements Heatmap {
  private settings: Settings;
  private readonly heat = new HeatCanvas(new OverlayGrid());
  /** The points by their position: values at one pixel add up. */
  private points = new Map<string, Dotted>();
  private min = 0;
  private max = 1;
  private source: ServerLayer | null = null;
  private pending: AbortController | null = null;
  private request = 0;

  constructor(configuration: HeatmapConfiguration) {
    if (!(configuration?.container instanceof HTMLElement)) throw new TypeError('heatmap: container is missing; expected an element of the page');
    this.settings = { ...DEFAULTS, ...configuration };
    const { container } = this.settings;
    const { element } = this.heat;
    element.className = 'heatmap-canvas';
    Object.assign(element.style, { position: 'absolute', left: '0', top: '0' });
    if (getComputedStyle(container).position === 'static') container.style.position = 'relative';
    container.append(element);
    this.later();
  }

  addData(data: HeatmapPoint | HeatmapPoint[] | HeatmapData): this {
    const isSet = !Array.isArray(data) && Array.isArray((data as HeatmapData).data);
    const all = isSet ? (data as HeatmapData).data : Array.isArray(data) ? data : [data as HeatmapPoint];
    let { min, max } = this;
    for (const point of all) max = Math.max(max, this.insert(point).value);
    if (isSet) [min, max] = [(data as HeatmapData).min ?? min, (data as HeatmapData).max ?? max];
    return this.range(min, max);
  }

  removeData(data: HeatmapPoint | HeatmapPoint[]): this {
    for (const point of Array.isArray(data) ? data : [data]) this.points.delete(keyOf(this.read(point)));
    return this.later();
  }

  setData(data: HeatmapData | ServerLayer): this {
    this.points = new Map();
    this.source = isServerLayer(data) ? data : null;
    this.pending?.abort();
    if (isServerLayer(data)) return this.later();
    if (!Array.isArray(data?.data)) throw new TypeError('heatmap: data is missing; expected { min, max, data: [{ x, y, value }] }, or a layer of a server, { layer, url }');
    for (const point of data.data) this.insert(point);
    return this.range(data.min ?? 0, data.max ?? 1);
  }

  setDataMax(max: number): this {
    return this.range(this.min, max);
  }

  setDataMin(min: number): this {
    return this.range(min, this.max);
  }

  configure(configuration: Partial<HeatmapConfiguration>): this {
    this.settings = { ...this.settings, ...configuration };
    return this.later();
  }

  repaint(): this {
    cancelAnimationFrame(this.request);
    this.request = 0;
    if (this.source) this.fetch(this.source).catch((error: Error) => error.name === 'AbortError' || console.error(`heatmap: ${error.message}`));
    else this.draw();
    return this;
  }

  getValueAt({ x, y }: { x: number; y: number }): number {
    if (this.source) throw new Error('heatmap: getValueAt needs points in the page; for a layer of a server, request its value at GET /{layer}/point/{x},{y}');
    this.flush();
    return Math.round(this.min + (this.max - this.min) * this.heat.grid.at(x, y));
  }

  getData(): { min: number; max: number; data: HeatmapPoint[] } {
    return { min: this.min, max: this.max, data: [...this.points.values()].map((point) => ({ ...point })) };
  }

  getDataURL(): string {
    this.flush();
    return this.heat.element.toDataURL();
  }

  private insert(point: HeatmapPoint): Dotted {
    const read = this.read(point);
    const key = keyOf(read);
    const known = this.points.get(key);
    if (known) known.value += read.value;
    else this.points.set(key, read);
    return known ?? read;
  }

  private read(point: HeatmapPoint): Dotted {
    const { xField, yField, valueField, radius } = this.settings;
    const found = { x: Number(point?.[xField]), y: Number(point?.[yField]), value: Number(point?.[valueField] ?? 1), radius: Number(point?.['radius'] ?? radius) };
    if (!Number.isFinite(found.x + found.y + found.value) || !(found.radius > 0)) {
      throw new TypeError(`heatmap: the point ${JSON.stringify(point)} is invalid; expected numbers ${xField}, ${yField} and ${valueField}`);
    }
    return found;
  }

  private range(min: number, max: number): this {
    const isNew = min !== this.min || max !== this.max;
    [this.min, this.max] = [min, max];
    if (isNew) this.settings.onExtremaChange?.({ min, max, gradient: this.settings.gradient } satisfies Extrema);
    return this.later();
  }

  private later(): this {
    this.request ||= requestAnimationFrame(() => this.repaint());
    return this;
  }

  /** Draws what is still to be drawn. */
  private flush(): void {
    if (this.request && !this.source) this.repaint();
  }

  private size(): { width: number; height: number } {
    const { container, width, height } = this.settings;
    return { width: Math.round(width ?? container.clientWidth), height: Math.round(height ?? container.clientHeight) };
  }

  private draw(): void {
    const { gradient, backgroundColor } = this.settings;
    const dots = new Map<number, Dots>();
    const profile = this.profile();
    const width = this.max - this.min || 1;
    for (const { x, y, value, radius } of this.points.values()) {
      const group = dots.get(radius) ?? dots.set(radius, { points: new Points(), radius, profile }).get(radius)!;
      group.points.add(x, y, Math.min(Math.max((value - this.min) / width, LEAST), 1));
    }
    const frame = { scale: 1, left: 0, top: 0, ...this.size(), period: 0 };
    this.heat.grid.compute([...dots.values()], frame);
    this.heat.draw(frame, { palette: paletteOf(stopsOf(gradient), (share) => this.opacityAt(share)), max: 1 });
    this.heat.element.style.backgroundColor = backgroundColor ?? '';
  }

  /** A dot is opaque to where it starts to fade out. */
  private profile(): Profile {
    const { blur } = this.settings;
    return profileOf((distance) => (blur > 0 ? Math.min((1 - distance) / blur, 1) : 1));
  }

  private opacityAt(share: number): number {
    const { opacity, minOpacity, maxOpacity } = this.settings;
    if (share === 0) return 0;
    return opacity > 0 ? opacity : Math.min(Math.max(share, minOpacity), maxOpacity);
  }

  /** Draws the picture of a layer in the rectangle of the container. */
  private async fetch(source: ServerLayer): Promise<void> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const { width, height } = this.size();
    const { radius, maxOpacity, backgroundColor } = this.settings;
    const parameters = parametersOf({ scheme: 'heatmapjs', kernel: 'cone', radius, opacity: maxOpacity, ...styleOf(source) });
    new URLSearchParams(accessOf(source)).forEach((value, name) => parameters.set(name, value));
    const response = await request(urlOf(source.url ?? '.', `${source.layer}/bbox/0,${-height},${width},0/${width}x${height}${devicePixelRatio > 1 ? '@2x' : ''}.png`, parameters), { signal });
    const picture = await createImageBitmap(await response.blob());
    if (signal.aborted) return;
    const { element } = this.heat;
    Object.assign(element, { width: picture.width, height: picture.height });
    Object.assign(element.style, { width: `${width}px`, height: `${height}px`, backgroundColor: backgroundColor ?? '' });
    element.getContext('2d')?.drawImage(picture, 0, 0);
  }
}

const keyOf = ({ x, y }: Dotted) => `${Math.floor(x)},${Math.floor(y)}`;
