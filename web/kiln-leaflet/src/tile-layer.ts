import L from 'leaflet';

import { tileJson, type TileJson } from './client.js';
import { HeatLayer } from './heat-layer.js';
import type { HeatStyle } from './style.js';

/** How long Leaflet lets a tile fade in. */
const FADE_MS = 220;

/**
 * A layer by its tiles. `loading` and `load` tell when tiles are asked for and there, `error` of a failure.
 *
 * Tiles of another style are loaded out of sight, and take the place of the old ones at once: nothing flickers.
 */
export class KilnTileLayer extends HeatLayer {
  private shown: L.TileLayer | null = null;
  private coming: L.TileLayer | null = null;
  private told: TileJson | null = null;

  constructor(base: string, name: string, style: HeatStyle = {}, options: L.TileLayerOptions = {}) {
    super(base, name, style, options);
  }

  override onAdd(_map: L.Map): this {
    this.refresh();
    return this;
  }

  override onRemove(): this {
    this.underWay?.abort();
    this.shown?.remove();
    this.coming?.remove();
    this.shown = this.coming = null;
    return this;
  }

  override tileJson(): TileJson | null {
    return this.told;
  }

  /** The tiles on the map, if there are any. */
  tiles(): L.TileLayer | null {
    return this.shown;
  }

  override refresh(): void {
    const signal = this.begin();
    this.fire('loading');
    tileJson(this.base, this.name, this.style, signal)
      .then((told) => this.show(told, signal))
      .catch((error: unknown) => this.fail(error, signal));
  }

  private show(told: TileJson, signal: AbortSignal): void {
    const map = this._map;
    if (signal.aborted || !map) return;
    this.told = told;
    this.fire('tilejson', { tileJson: told });
    this.coming?.remove();
    const url = told.tiles[0].replace('{y}.png', '{y}{r}.png');
    if (!this.coming && this.shown && (this.shown as unknown as { _url: string })._url === url) {
      this.fire('load');
      return;
    }
    const options = { attribution: told.attribution ?? '', ...this.options } as L.TileLayerOptions;
    const next = L.tileLayer(url, { ...options, maxNativeZoom: told.maxzoom, maxZoom: options.maxZoom ?? 30 });
    next.on('tileerror', (event) => this.fire('tileerror', event));
    next.on('load', () => this.swap(next));
    this.coming = next;
    next.addTo(map);
    const box = next.getContainer();
    if (this.shown && box) box.style.visibility = 'hidden';
  }

  /** Takes the old tiles away, now that the new ones are there. */
  private swap(next: L.TileLayer): void {
    if (next !== this.coming) {
      if (next === this.shown) this.fire('load');
      return;
    }
    const fades = this.shown && (this._map as unknown as { _fadeAnimated: boolean } | null)?._fadeAnimated;
    const done = () => {
      if (next !== this.coming) return;
      const box = next.getContainer();
      if (box) box.style.visibility = '';
      this.shown?.remove();
      this.shown = next;
      this.coming = null;
      this.fire('load');
    };
    if (fades) setTimeout(done, FADE_MS);
    else done();
  }
}
