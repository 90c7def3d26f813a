import type { Map, RasterTileSource } from 'maplibre-gl';

import type { TileJson } from '../../kiln-client/src/client.js';
import { HeatSource } from '../../kiln-client/src/heat-source.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';

/** Options of a layer. */
export interface HeatLayerOptions {
  /** The id of the source and the layer of the map's style. Default: `kiln-` and the name of the layer. */
  id?: string;
  /** The id of the layer of the map's style below which the heat is, such as that of the labels. Default: none, above all layers. */
  before?: string;
  /** The key that reads the layer, on a server with keys. Everybody who sees the page can use it. */
  key?: string;
}

/** The zoom of a tile with 256 pixels on a map whose zoom is that of tiles with 512. */
export const tileZoom = (map: Map): number => map.getZoom() + 1;

/** The tiles of a Kiln server's layer on a MapLibre map. */
export class HeatLayer extends HeatSource {
  /** The id of the source and the layer of the map's style. */
  readonly id: string;
  private map: Map | null = null;
  private readonly before: string | undefined;
  private readonly added = (): void => {
    // The style of the map has loaded, or was replaced.
    const metadata = this.tileJson();
    if (metadata) this.show(metadata);
    else this.refresh();
  };

  constructor(base: string, layer: string, style: HeatStyle = {}, options: HeatLayerOptions = {}) {
    super(base, layer, style, options.key ? String(new URLSearchParams({ key: options.key })) : '');
    this.id = options.id ?? `kiln-${layer}`;
    this.before = options.before;
  }

  /** Adds the layer to a map, as soon as the map has a style. */
  addTo(map: Map): this {
    this.remove();
    this.map = map;
    map.on('style.load', this.added);
    if (map.isStyleLoaded()) this.refresh();
    return this;
  }

  /** Removes the layer from its map. */
  remove(): this {
    const { map, id } = this;
    this.cancel();
    this.map = null;
    if (!map) return this;
    map.off('style.load', this.added);
    if (map.getLayer(id)) map.removeLayer(id);
    if (map.getSource(id)) map.removeSource(id);
    return this;
  }

  protected override isOnMap(): boolean {
    return this.map !== null;
  }

  protected override show({ tiles, maxzoom, attribution }: TileJson): void {
    const { map, id } = this;
    if (!map) return;
    const url = new URL(tiles[0].replace('{y}.png', '{y}{ratio}.png'), location.href).href.replaceAll('%7B', '{').replaceAll('%7D', '}');
    const source = map.getSource<RasterTileSource>(id);
    if (source) {
      source.setTiles([url]);
      return;
    }
    // Without bounds: at low zooms, dots extend beyond those of the TileJSON.
    map.addSource(id, { type: 'raster', tiles: [url], tileSize: 256, maxzoom, ...(attribution ? { attribution } : {}) });
    const before = this.before && map.getLayer(this.before) ? this.before : undefined;
    map.addLayer({ id, type: 'raster', source: id, paint: { 'raster-fade-duration': 150 } }, before);
  }
}
