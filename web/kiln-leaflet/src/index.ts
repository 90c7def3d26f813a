/** Heat maps on a Leaflet map: `L.kiln` for the layers of a Kiln server, and `L.heatLayer` for points in the page. */
import L from 'leaflet';

import type { ServerLayer } from '../../kiln-client/src/server-layer.js';
import { kiln, type Kiln } from './layers.js';
import { KilnPointsLayer, type HeatLatLng, type HeatLayerOptions } from './points-layer.js';

/** Shows the heat of points in the page, or of a layer of a server: `L.heatLayer` of Leaflet.heat. */
export const heatLayer = (data: readonly HeatLatLng[] | ServerLayer, options?: HeatLayerOptions): KilnPointsLayer => new KilnPointsLayer(data, options);

declare module './layers.js' {
  interface Kiln {
    /** The heat of points in the page, or of a layer of a server: `L.heatLayer` of Leaflet.heat. */
    heatLayer: typeof heatLayer;
  }
}

kiln.heatLayer = heatLayer;
// Pages of Leaflet.heat that load this package in its place. Where both are loaded, the other one stays.
if (Object.isExtensible(L)) {
  const leaflet = L as unknown as { heatLayer?: Kiln['heatLayer']; HeatLayer?: typeof KilnPointsLayer };
  leaflet.heatLayer ??= heatLayer;
  leaflet.HeatLayer ??= KilnPointsLayer;
}

export * from './layers.js';
export { addPoints, type AddedPoints, type NewPoint } from '../../kiln-client/src/client.js';
export { KilnPointsLayer, type HeatLatLng, type HeatLayerOptions, type ServerLayer };
