import L from 'leaflet';

import { addressOf, type TileJson } from './client.js';
import type { HeatStyle } from './style.js';

/** What tiles and overlays have in common: a layer of a server, and how it is drawn. */
export abstract class HeatLayer extends L.Layer {
  /** Where the server is reached. */
  readonly base: string;
  protected name: string;
  protected style: HeatStyle;
  protected underWay: AbortController | null = null;

  protected constructor(base: string, name: string, style: HeatStyle, options: L.LayerOptions) {
    super();
    L.setOptions(this, options);
    this.base = addressOf(base, '').slice(0, -1);
    this.name = name;
    this.style = { ...style };
  }

  /** The layer's name. */
  layerName(): string {
    return this.name;
  }

  /** How it is drawn. */
  heatStyle(): HeatStyle {
    return { ...this.style };
  }

  /** Draws it in another way, or another layer; what is on the map stays until the new picture is there. */
  setStyle(style: HeatStyle, name = this.name): this {
    this.style = { ...style };
    this.name = name;
    this.fire('restyle');
    if (this._map) this.refresh();
    return this;
  }

  /** Asks for what is on the map anew. */
  abstract refresh(): void;

  /** What the server has told of the tiles, once it has. */
  abstract tileJson(): TileJson | null;

  /** Drops the request that is under way, and begins another. */
  protected begin(): AbortSignal {
    this.underWay?.abort();
    this.underWay = new AbortController();
    return this.underWay.signal;
  }

  protected fail(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) this.fire('error', { error });
  }
}
