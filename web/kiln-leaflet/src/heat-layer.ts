import L from 'leaflet';

import { urlOf, type TileJson } from '../../kiln-client/src/client.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';

/** The base class of tiles and overlays: a layer of a server and its style. */
export abstract class HeatLayer extends L.Layer {
  /** The base URL of the server. */
  readonly base: string;
  protected name: string;
  protected style: HeatStyle;
  protected pending: AbortController | null = null;
  /** Whether the last request has failed. */
  protected hasFailed = false;

  protected constructor(base: string, name: string, style: HeatStyle, options: L.LayerOptions) {
    super();
    L.setOptions(this, options);
    this.base = urlOf(base, '').slice(0, -1);
    this.name = name;
    this.style = { ...style };
  }

  /** The layer's name. */
  layerName(): string {
    return this.name;
  }

  /** The current style. */
  heatStyle(): HeatStyle {
    return { ...this.style };
  }

  /** Sets the style, and the layer if `name` is given. The old picture stays on the map until the new one has loaded. */
  setStyle(style: HeatStyle, name = this.name): this {
    this.style = { ...style };
    this.name = name;
    this.fire('restyle');
    if (this._map) this.refresh();
    return this;
  }

  /** Requests the current view again. */
  abstract refresh(): void;

  /** Requests again what has failed to load. */
  retry(): void {
    this.refresh();
  }

  /** The TileJSON of the layer, or null before it has loaded. */
  abstract tileJson(): TileJson | null;

  /** Whether no part of the requested picture has failed to load. */
  isComplete(): boolean {
    return !this.hasFailed;
  }

  /** Cancels the pending request and returns the signal of a new one. */
  protected begin(): AbortSignal {
    this.hasFailed = false;
    this.pending?.abort();
    this.pending = new AbortController();
    return this.pending.signal;
  }

  protected fail(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.hasFailed = true;
    this.fire('error', { error });
  }
}
