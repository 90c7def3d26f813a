import L from 'leaflet';

import { valueAt, type Value } from './client.js';
import type { HeatLayer } from './heat-layer.js';
import { withoutOpacity } from './style.js';

/** Options of values. */
export interface ValueOptions {
  /** Whether a click opens a popup with the value there. Default: true. */
  popup?: boolean;
  /** Whether the value under the cursor is asked for, once it stands still. Default: false. */
  hover?: boolean;
  /** How long the cursor has to stand still, in milliseconds. Default: 120. */
  debounceMs?: number;
  /** How many of the most frequent categories around a click are told, up to 50. Default: 0. */
  categories?: number;
}

/** A value that was told, and whether a click or the cursor asked for it. */
export interface ValueEvent {
  latlng: L.LatLng;
  value: Value;
  by: 'click' | 'hover';
}

/** The furthest latitude that a Mercator map shows. */
const POLE = 85.05;

/** Tells the value of a layer where the map is clicked, and under the cursor. */
export class KilnValue extends L.Handler {
  private readonly options: ValueOptions;
  private readonly listeners: ((event: ValueEvent | null) => void)[] = [];
  private readonly map: L.Map;
  private readonly asked: { click: AbortController | null; hover: AbortController | null } = { click: null, hover: null };
  private source: HeatLayer;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(map: L.Map, source: HeatLayer, options: ValueOptions = {}) {
    super(map);
    this.map = map;
    this.source = source;
    this.options = { ...options };
    this.enable();
  }

  override addHooks(): void {
    this.map.on('click', this.clicked, this);
    if (this.options.hover) this.map.on('mousemove', this.hovered, this).on('mouseout movestart', this.left, this);
  }

  override removeHooks(): void {
    this.map.off('click', this.clicked, this).off('mousemove', this.hovered, this).off('mouseout movestart', this.left, this);
    this.left();
  }

  /** Calls `then` with each value that is told; with none once the cursor has left the map. */
  onValue(then: (event: ValueEvent | null) => void): this {
    this.listeners.push(then);
    return this;
  }

  /** Tells of another layer. */
  setSource(source: HeatLayer): this {
    this.source = source;
    return this;
  }

  /** Tells so many of the most frequent categories around a click. */
  setCategories(categories: number): this {
    this.options.categories = categories;
    return this;
  }

  private clicked({ latlng }: L.LeafletMouseEvent): void {
    if (this.options.popup === false) return void this.ask(latlng, 'click').catch(() => undefined);
    const popup = L.popup({ className: 'kiln-popup', maxWidth: 320 });
    void this.ask(latlng, 'click').then(
      (value) => value && popup.setLatLng(latlng).setContent(describe(value)).openOn(this.map),
      (error: Error) => {
        if (error.name !== 'AbortError') popup.setLatLng(latlng).setContent(text('p', error.message)).openOn(this.map);
      },
    );
  }

  private hovered({ latlng }: L.LeafletMouseEvent): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(latlng, 'hover').catch(() => undefined), this.options.debounceMs ?? 120);
  }

  private left(): void {
    clearTimeout(this.timer);
    this.asked.hover?.abort();
    this.tell(null);
  }

  private async ask(latlng: L.LatLng, by: 'click' | 'hover'): Promise<Value | null> {
    if (Math.abs(latlng.lat) > POLE) return null;
    this.asked[by]?.abort();
    const { signal } = (this.asked[by] = new AbortController());
    const zoom = Math.min(Math.max(Math.round(this.map.getZoom()), 0), this.source.tileJson()?.maxzoom ?? 24);
    const { base } = this.source;
    const style = withoutOpacity(this.source.heatStyle());
    const categories = by === 'click' ? this.options.categories : 0;
    const value = await valueAt(base, this.source.layerName(), style, latlng, zoom, signal, categories);
    this.tell({ latlng, value, by });
    return value;
  }

  private tell(event: ValueEvent | null): void {
    this.listeners.forEach((then) => then(event));
  }
}

/** Small ones as the legend has them: `4.264e−6`. */
function number(value: number, digits = 4): string {
  const rounded = Number(value.toPrecision(digits));
  if (rounded === 0 || Math.abs(rounded) >= 1e-3) return rounded.toLocaleString('en', { maximumFractionDigits: 12 });
  return rounded.toExponential().replaceAll('-', '−');
}
const count = (points: number) => `${points.toLocaleString('en')} ${points === 1 ? 'point' : 'points'}`;

function text(tag: keyof HTMLElementTagNameMap, content: string, className = ''): HTMLElement {
  const element = L.DomUtil.create(tag, className);
  element.textContent = content;
  return element;
}

/** A value in few words: `0.042 points per km²`. */
export function amountOf({ value, unit }: Value): string {
  return value === null ? 'No value' : `${number(value)} ${unit}`;
}

/** A value in full, as an element: the amount, its percentile, how many points are near, and what they are. */
export function describe(told: Value): HTMLElement {
  const box = L.DomUtil.create('div', 'kiln-value');
  box.append(text('strong', amountOf(told)));
  if (told.percentile) {
    box.append(text('p', `At or above ${Math.floor(told.percentile)} % of the map at this zoom`));
  }
  const reach = told.radius_m < 1000 ? `${number(told.radius_m, 3)} m` : `${number(told.radius_m / 1000, 3)} km`;
  box.append(text('p', `${count(told.points)} within ${reach}`));
  if (told.categories?.length) {
    const list = L.DomUtil.create('ol', 'kiln-categories', box);
    for (const { name, points } of told.categories) {
      const item = L.DomUtil.create('li', '', list);
      item.append(text('span', name), text('span', points.toLocaleString('en'), 'kiln-count'));
    }
  }
  return box;
}
