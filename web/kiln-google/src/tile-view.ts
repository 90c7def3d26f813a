import { tileJson, type TileJson } from '../../kiln-client/src/client.js';
import { accessOf, styleOf, type ServerLayer } from '../../kiln-client/src/server-layer.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';
import { peakOf, RADIUS, radiusAt, stopsOf } from './options.js';
import type { View, ViewOptions } from './view.js';

/** The size of a tile in CSS pixels. */
const TILE = 256;
/** The greatest radius of a dot that a server renders by default, in pixels. */
const MAX_RADIUS = 512;

/** The tiles of a server's layer, as an image map type above those of the map. */
export class TileView implements View {
  private type: google.maps.ImageMapType | null = null;
  private pending: AbortController | null = null;
  private metadata: TileJson | null = null;

  constructor(
    private readonly map: google.maps.Map,
    private readonly source: ServerLayer,
    private readonly options: () => ViewOptions,
    private readonly failed: (error: Error) => void,
  ) {
    this.load();
  }

  remove(): void {
    this.pending?.abort();
    const index = this.index();
    if (index >= 0) this.map.overlayMapTypes.removeAt(index);
    this.type = null;
  }

  changed(option: string): void {
    if (option === 'opacity') this.type?.setOpacity(this.options().opacity);
    else this.load();
  }

  /** Requests the metadata of the layer, and then shows its tiles. */
  private load(): void {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    tileJson(this.source.url ?? '.', this.source.layer, this.styleAt(0), signal, accessOf(this.source))
      .then((metadata) => {
        if (!signal.aborted) this.show(metadata);
      })
      .catch((error: Error) => {
        if (!signal.aborted) this.failed(error);
      });
  }

  private show(metadata: TileJson): void {
    this.metadata = metadata;
    const type = new google.maps.ImageMapType({
      name: metadata.name,
      getTileUrl: (tile, zoom) => this.urlOf(tile, zoom),
      tileSize: new google.maps.Size(TILE, TILE),
      maxZoom: metadata.maxzoom,
      opacity: this.options().opacity,
    });
    const index = this.index();
    if (index >= 0) this.map.overlayMapTypes.setAt(index, type);
    else this.map.overlayMapTypes.push(type);
    this.type = type;
  }

  private index(): number {
    return this.type ? this.map.overlayMapTypes.getArray().indexOf(this.type) : -1;
  }

  /** The URL of a tile, in the copy of the world that the server has; null beyond the poles. */
  private urlOf({ x, y }: google.maps.Point, zoom: number): string | null {
    const { metadata } = this;
    const across = 2 ** zoom;
    if (!metadata || y < 0 || y >= across) return null;
    const column = ((x % across) + across) % across;
    const url = new URL(metadata.tiles[0].replace('{z}', String(zoom)).replace('{x}', String(column)).replace('{y}.png', `${y}${devicePixelRatio > 1 ? '@2x' : ''}.png`), location.href);
    const { radius, vmax, units } = this.styleAt(zoom);
    for (const [name, value] of Object.entries({ radius, vmax, units })) if (value !== undefined) url.searchParams.set(name, String(value));
    return url.href;
  }

  /** The style that the options mean at a zoom. That of the data precedes, and options that are not set have the default of the layer. */
  private styleAt(zoom: number): HeatStyle {
    const { radius, dissipating, gradient, maxIntensity } = this.options();
    const style = styleOf(this.source);
    const size = Math.min(radiusAt(radius ?? RADIUS, dissipating, zoom), MAX_RADIUS);
    const isSized = radius !== null || !dissipating || maxIntensity !== null;
    const colors = gradient === null || style.scheme ? {} : { gradient: stopsOf(gradient).map(([share, color]) => `${color} ${100 * share}%`).join(',') };
    const range = maxIntensity === null ? {} : { units: 'per_px', vmin: 0, vmax: maxIntensity * peakOf(size) };
    return { ...(isSized ? { radius: size } : {}), ...colors, ...range, ...style };
  }
}
