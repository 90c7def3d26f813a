import L from 'leaflet';

import { valueAt, type Value } from '../../kiln-client/src/client.js';
import type { HeatLayer } from './heat-layer.js';
import { describe, text } from '../../kiln-client/src/value-view.js';
import { withoutOpacity } from '../../kiln-client/src/style.js';

/** Options of values. */
export interface ValueOptions {
  /** Whether a click opens a popup with the value. Default: true. */
  popup?: boolean;
  /** Whether the value under a resting cursor is requested. Default: false. */
  hover?: boolean;
  /** Delay before the request for a resting cursor, in milliseconds. Default: 120. */
  debounceMs?: number;
  /** Number of the most frequent categories around a click, up to 50. Default: 0. */
  categories?: number;
  /** Returns the value that sets the unit of texts, such as the maximum of a legend. Default: the shown value itself. */
  reference?: () => number | null | undefined;
}

/** A value, and whether a click or the cursor requested it. */
export interface ValueEvent {
  latlng: L.LatLng;
  value: Value;
  by: 'click' | 'hover';
}

/** The maximum width of the content of a popup. */
const MAX_POPUP_PX = 320;
/** The maximum latitude of a Mercator map, in degrees. */
const POLE = 85.05;

/** Shows the value of a layer at a click, and reports it at a click and under the cursor. */
export class KilnValue extends L.Handler {
  private readonly options: ValueOptions;
  private readonly listeners: ((event: ValueEvent | null) => void)[] = [];
  private readonly map: L.Map;
  private readonly pending: { click: AbortController | null; hover: AbortController | null } = { click: null, hover: null };
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

  /** Calls `then` with each value, and with null when the cursor leaves the map. */
  onValue(then: (event: ValueEvent | null) => void): this {
    this.listeners.push(then);
    return this;
  }

  /** Sets the layer whose values are shown. */
  setSource(source: HeatLayer): this {
    this.source = source;
    return this;
  }

  /** Sets the number of the most frequent categories around a click. */
  setCategories(categories: number): this {
    this.options.categories = categories;
    return this;
  }

  /** Shows the value at a location, as a click does. Returns null beyond the poles. */
  async show(latlng: L.LatLng): Promise<Value | null> {
    if (this.options.popup === false) return this.request(latlng, 'click');
    // On a narrow map the popup is next to the zoom buttons.
    const popup = L.popup({ className: 'kiln-popup', maxWidth: Math.min(MAX_POPUP_PX, Math.max(this.map.getSize().x - 110, 160)) });
    try {
      const value = await this.request(latlng, 'click');
      if (value) popup.setLatLng(latlng).setContent(describe(value, this.options.reference?.())).openOn(this.map);
      return value;
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== 'AbortError') popup.setLatLng(latlng).setContent(text('p', message)).openOn(this.map);
      throw error;
    }
  }

  private clicked({ latlng }: L.LeafletMouseEvent): void {
    this.show(latlng).catch(() => undefined);
  }

  private hovered({ latlng }: L.LeafletMouseEvent): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.request(latlng, 'hover').catch(() => undefined), this.options.debounceMs ?? 120);
  }

  private left(): void {
    clearTimeout(this.timer);
    this.pending.hover?.abort();
    this.notify(null);
  }

  private async request(latlng: L.LatLng, by: 'click' | 'hover'): Promise<Value | null> {
    if (Math.abs(latlng.lat) > POLE) return null;
    this.pending[by]?.abort();
    const { signal } = (this.pending[by] = new AbortController());
    const zoom = Math.min(Math.max(Math.round(this.map.getZoom()), 0), this.source.tileJson()?.maxzoom ?? 24);
    const { base } = this.source;
    const style = withoutOpacity(this.source.heatStyle());
    const categories = by === 'click' ? this.options.categories : 0;
    const value = await valueAt(base, this.source.layerName(), style, latlng, zoom, signal, categories);
    this.notify({ latlng, value, by });
    return value;
  }

  private notify(event: ValueEvent | null): void {
    this.listeners.forEach((then) => then(event));
  }
}
