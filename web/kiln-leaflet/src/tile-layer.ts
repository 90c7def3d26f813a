import L from 'leaflet';

import { hasHeaders, tileJson, type TileJson } from '../../kiln-client/src/client.js';
import { FetchedTiles, reload, urlOfTile } from './fetched-tiles.js';
import { HeatLayer } from './heat-layer.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';

/** The duration of Leaflet's fade-in of tiles. */
const FADE_MS = 220;

/**
 * The tiles of a layer. Fires `loading` when tiles are requested, `load` when all have loaded or failed, `tileerror` for each tile
 * that has failed, and `error` if the metadata of the layer cannot be loaded.
 *
 * The tiles of a new style load invisibly and then replace the old ones at once, without flicker.
 */
export class KilnTileLayer extends HeatLayer {
  private current: L.TileLayer | null = null;
  private loading: L.TileLayer | null = null;
  private metadata: TileJson | null = null;
  /** The images of failed tiles by tile, of the tiles on the map and of those that are loading. */
  private readonly failed = new Map<L.TileLayer, Map<string, HTMLImageElement>>();

  constructor(base: string, name: string, style: HeatStyle = {}, options: L.TileLayerOptions = {}) {
    super(base, name, style, options);
  }

  override onAdd(_map: L.Map): this {
    this.refresh();
    return this;
  }

  override onRemove(): this {
    this.pending?.abort();
    this.drop(this.current);
    this.drop(this.loading);
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

  /** The URLs of the tiles on the map that have failed to load. */
  failedTiles(): string[] {
    return [...this.failed.values()].flatMap((images) => [...images.values()].map(urlOfTile));
  }

  override isComplete(): boolean {
    return super.isComplete() && !this.failedTiles().length;
  }

  override refresh(): void {
    const signal = this.begin();
    this.fire('loading');
    tileJson(this.base, this.name, this.style, signal)
      .then((metadata) => this.show(metadata, signal))
      .catch((error: unknown) => this.fail(error, signal));
  }

  /** Requests the failed tiles again, or all tiles if the metadata of the layer has failed. */
  override retry(): void {
    if (this.hasFailed || (!this.current && !this.loading)) return this.refresh();
    for (const images of this.failed.values()) for (const image of images.values()) reload(image);
  }

  private show(metadata: TileJson, signal: AbortSignal): void {
    const map = this._map;
    if (signal.aborted || !map) return;
    this.metadata = metadata;
    this.fire('tilejson', { tileJson: metadata });
    this.drop(this.loading);
    this.loading = null;
    const url = metadata.tiles[0].replace('{y}.png', '{y}{r}.png');
    if (this.current && (this.current as unknown as { _url: string })._url === url) {
      this.fire('load');
      return;
    }
    const options = { attribution: metadata.attribution ?? '', ...this.options } as L.TileLayerOptions;
    const settings = { ...options, maxNativeZoom: metadata.maxzoom, maxZoom: options.maxZoom ?? 30 };
    const next = hasHeaders(url) ? new FetchedTiles(url, settings) : L.tileLayer(url, settings);
    this.watch(next);
    next.on('load', () => this.swap(next));
    this.loading = next;
    next.addTo(map);
    const box = next.getContainer();
    if (this.current && box) box.style.visibility = 'hidden';
  }

  /** Records the failed tiles of `tiles`. */
  private watch(tiles: L.TileLayer): void {
    const failed = new Map<string, HTMLImageElement>();
    this.failed.set(tiles, failed);
    const keyOf = ({ x, y, z }: L.Coords) => `${z}/${x}/${y}`;
    tiles.on('tileerror', (event) => {
      failed.set(keyOf(event.coords), event.tile as HTMLImageElement);
      this.fire('tileerror', event);
    });
    tiles.on('tileload', ({ coords }) => failed.delete(keyOf(coords)));
    tiles.on('tileunload', ({ coords, tile }) => {
      if (failed.get(keyOf(coords)) === tile) failed.delete(keyOf(coords));
    });
  }

  private drop(tiles: L.TileLayer | null): void {
    tiles?.remove();
    if (tiles) this.failed.delete(tiles);
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
      this.drop(this.current);
      this.current = next;
      this.loading = null;
      this.fire('load');
    };
    if (fades) setTimeout(done, FADE_MS);
    else done();
  }
}
