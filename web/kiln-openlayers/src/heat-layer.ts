import TileLayer from 'ol/layer/Tile.js';
import XYZ from 'ol/source/XYZ.js';

import type { TileJson } from '../../kiln-client/src/client.js';
import { HeatSource } from '../../kiln-client/src/heat-source.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';

/** Options of a layer. */
export interface HeatLayerOptions {
  /** Options of the OpenLayers layer, such as `zIndex` or `visible`. */
  layer?: ConstructorParameters<typeof TileLayer>[0];
  /** The key that reads the layer, on a server with keys. Everybody who sees the page can use it. */
  key?: string;
}

/** The tiles of a Kiln server's layer, as a layer of OpenLayers: `map.addLayer(heat.layer)`. */
export class HeatLayer extends HeatSource {
  /** The layer of OpenLayers. */
  readonly layer: TileLayer<XYZ>;

  constructor(base: string, layer: string, style: HeatStyle = {}, options: HeatLayerOptions = {}) {
    super(base, layer, style, options.key ? String(new URLSearchParams({ key: options.key })) : '');
    this.layer = new TileLayer<XYZ>(options.layer as ConstructorParameters<typeof TileLayer<XYZ>>[0]);
    this.refresh();
  }

  protected override isOnMap(): boolean {
    return true;
  }

  protected override show({ tiles, maxzoom, attribution }: TileJson): void {
    const ratio = devicePixelRatio > 1 ? 2 : 1;
    // Without an extent: at low zooms, dots extend beyond the bounds of the TileJSON.
    this.layer.setSource(
      new XYZ({
        url: tiles[0].replace('{y}.png', ratio === 2 ? '{y}@2x.png' : '{y}.png'),
        tilePixelRatio: ratio,
        maxZoom: maxzoom,
        crossOrigin: 'anonymous',
        ...(attribution ? { attributions: attribution } : {}),
      }),
    );
  }
}
