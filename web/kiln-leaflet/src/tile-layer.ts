import L from 'leaflet';

import { tileJson, type TileJson } from './client.js';
import { HeatLayer } from './heat-layer.js';
import type { HeatStyle } from './style.js';

/** The duration of Leaflet's fade-in of tiles. */
const FADE_MS = 220;

/**
 * The tiles of a layer. Fires `loading` when tiles are requested, `load` when all have loaded, and `error` if the request fails.
 *
 * The tiles of a new style load invisibly and then replace the old ones at once, without flicker.
 */
export class KilnTileLayer extends HeatLayer {
  private current: L.TileLayer | null = null;
  private loading: L.TileLayer | null = null;
  private metadata: TileJson | null = null;

  constructor(base: string, name: string, style: HeatStyle = {}, options: L.TileLayerOptions = {}) {
    super(base, name, style, options);
  }

  override onAdd(_map: L.Map): this {
    this.refresh();
    return this;
  }

  override onRemove(): this {
    this.pending?.abort();
    this.current?.remove();
    this.loading?.remove();
    this.current = this.loading = null;
    return this;
  }

  override tileJson(): TileJson | null {
    return this.metadata;
  }

  /** The tiles on the map, or null. */
  tiles(): L.TileLayer | null {
    return this.current;
  }

  override refresh(): void {
    const signal = this.begin();
    this.fire('loading');
    tileJson(this.base, this.name, this.style, signal)
      .then((metadata) => this.show(metadata, signal))
      .catch((error: unknown) => this.fail(error, signal));
  }

  private show(metadata: TileJson, signal: AbortSignal): void {
    const map = this._map;
    if (signal.aborted || !map) return;
    this.metadata = metadata;
    this.fire('tilejson', { tileJson: metadata });
    this.loading?.remove();
    const url = metadata.tiles[0].replace('{y}.png', '{y}{r}.png');
    if (!this.loading && this.current && (this.current as unknown as { _url: string })._url === url) {
      this.fire('load');
      return;
    }
    const options = { attribution: metadata.attribution ?? '', ...this.options } as L.TileLayerOptions;
    const next = L.tileLayer(url, { ...options, maxNativeZoom: metadata.maxzoom, maxZoom: options.maxZoom ?? 30 });
    next.on('tileerror', (event) => this.fire('tileerror', event));
    next.on('load', () => this.swap(next));
    this.loading = next;
    next.addTo(map);
    const box = next.getContainer();
    if (this.current && box) box.style.visibility = 'hidden';
  }

  /** Replaces the old tiles by the loaded ones. */
  private swap(next: L.TileLayer): void {
    if (next !== this.loading) {
      if (next === this.current) this.fire('load');
      return;
    }
    const fades = this.current && (this._map as unknown as { _fadeAnimated: boolean } | null)?._fadeAnimated;
    const done = () => {
      if (next !== this.loading) return;
      const box = next.getContainer();
      if (box) box.style.visibility = '';
      this.current?.remove();
      this.current = next;
      this.loading = null;
      this.fire('load');
    };
    if (fades) setTimeout(done, FADE_MS);
    else done();
  }
}
