import { legendOf, tileJson, urlOf, valueAt, type Legend, type TileJson, type Value } from './client.js';
import { withoutOpacity, type HeatStyle } from './style.js';

/** The maximum latitude of a Mercator map, in degrees. */
const POLE = 85.05;

/** The events of a layer. */
interface Events {
  /** The metadata of the layer has loaded. */
  load: TileJson;
  /** The style or the layer was changed. */
  restyle: HeatStyle;
  /** The metadata of the layer cannot be loaded. */
  error: Error;
}

/** A layer of a server and its style, for libraries whose layers have no class to extend. */
export abstract class HeatSource {
  /** The base URL of the server. */
  readonly base: string;
  private readonly listeners: { [name in keyof Events]: ((value: Events[name]) => void)[] } = { load: [], restyle: [], error: [] };
  private metadata: TileJson | null = null;
  private pending: AbortController | null = null;

  /** `access` are further parameters of all requests, such as a key. */
  protected constructor(base: string, private name: string, private style: HeatStyle = {}, readonly access = '') {
    this.base = urlOf(base, '').slice(0, -1);
  }

  /** The layer's name. */
  layerName(): string {
    return this.name;
  }

  /** The current style. */
  heatStyle(): HeatStyle {
    return { ...this.style };
  }

  /** The TileJSON of the layer, or null before it has loaded. */
  tileJson(): TileJson | null {
    return this.metadata;
  }

  /** Sets the style, and the layer if `name` is given. The old tiles stay on the map until the new ones are requested. */
  setStyle(style: HeatStyle, name = this.name): this {
    this.style = { ...style };
    this.name = name;
    this.notify('restyle', this.heatStyle());
    if (this.isOnMap()) this.refresh();
    return this;
  }

  /** Requests the metadata and the tiles again, for example after points were added. */
  refresh(): void {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    tileJson(this.base, this.name, this.style, signal, this.access)
      .then((metadata) => {
        if (signal.aborted) return;
        this.metadata = metadata;
        this.show(metadata);
        this.notify('load', metadata);
      })
      .catch((error: Error) => {
        if (signal.aborted) return;
        if (!this.listeners.error.length) console.error(`kiln: ${error.message}`);
        this.notify('error', error);
      });
  }

  /** Calls `then` with each event of a name: `load`, `restyle` or `error`. */
  on<Name extends keyof Events>(name: Name, then: (value: Events[Name]) => void): this {
    this.listeners[name].push(then);
    return this;
  }

  /** Ends the calls of `then`. */
  off<Name extends keyof Events>(name: Name, then: (value: Events[Name]) => void): this {
    const all = this.listeners[name];
    if (all.includes(then)) all.splice(all.indexOf(then), 1);
    return this;
  }

  /** Requests the legend of the tiles at a zoom of tiles with 256 pixels. */
  legendAt(zoom: number, signal?: AbortSignal): Promise<Legend> {
    return legendOf(this.base, this.name, withoutOpacity(this.style), this.nearest(zoom), signal, this.access);
  }

  /** Requests the value at a location and a zoom of tiles with 256 pixels. Null beyond the poles. */
  async valueAt(location: { lat: number; lng: number }, zoom: number, signal?: AbortSignal): Promise<Value | null> {
    if (Math.abs(location.lat) > POLE) return null;
    return valueAt(this.base, this.name, withoutOpacity(this.style), location, this.nearest(zoom), signal, 0, this.access);
  }

  /** Whether the layer is on a map. */
  protected abstract isOnMap(): boolean;

  /** Shows the tiles of the metadata. */
  protected abstract show(metadata: TileJson): void;

  /** Cancels the pending request. */
  protected cancel(): void {
    this.pending?.abort();
  }

  private nearest(zoom: number): number {
    return Math.min(Math.max(Math.round(zoom), 0), this.metadata?.maxzoom ?? 24);
  }

  private notify<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...this.listeners[name]]) listener(value);
  }
}
