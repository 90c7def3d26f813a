/** Heat maps of a Kiln server on a Leaflet map: `L.kiln.tileLayer`, `L.kiln.overlay`, `L.kiln.legend`, `L.kiln.value`. */
import L from 'leaflet';

import { HeatLayer } from './heat-layer.js';
import { KilnLegend, type LegendOptions } from './legend.js';
import { KilnOverlay, type OverlayOptions } from './overlay.js';
import { KilnTileLayer } from './tile-layer.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';
import { KilnValue, type ValueOptions } from './value.js';

/** The functions of `L.kiln`. */
export interface Kiln {
  /** The tiles of the layer `layer` of the server at `base`. */
  tileLayer(base: string, layer: string, style?: HeatStyle, options?: L.TileLayerOptions): KilnTileLayer;
  /** The layer as one picture of the view. */
  overlay(base: string, layer: string, style?: HeatStyle, options?: OverlayOptions): KilnOverlay;
  /** A control with the legend of `source`. */
  legend(source: HeatLayer, options?: LegendOptions): KilnLegend;
  /** Shows the value of `source` where `map` is clicked and, as an option, under the cursor. */
  value(map: L.Map, source: HeatLayer, options?: ValueOptions): KilnValue;
}

/** The functions of `L.kiln`. */
export const kiln = {
  tileLayer: (base, layer, style, options) => new KilnTileLayer(base, layer, style, options),
  overlay: (base, layer, style, options) => new KilnOverlay(base, layer, style, options),
  legend: (source, options) => new KilnLegend(source, options),
  value: (map, source, options) => new KilnValue(map, source, options),
} as Kiln;

declare module 'leaflet' {
  /** Heat maps of a Kiln server. */
  let kiln: Kiln;
}

// A module namespace object is read-only. Where Leaflet is one, import `kiln` by its name.
if (Object.isExtensible(L)) (L as { kiln: Kiln }).kiln = kiln;

export { fetchJson, hasHeaders, legendOf, request, sendHeaders, tileJson, valueAt, KilnError, type Legend, type TileJson, type Value } from '../../kiln-client/src/client.js';
export { HeatLayer, KilnLegend, KilnOverlay, KilnTileLayer, KilnValue };
export type { Wait } from '../../kiln-client/src/rate-limit.js';
export { readableLegend, readableUnit, type ReadableUnit } from '../../kiln-client/src/readable.js';
export { amountOf, describe } from '../../kiln-client/src/value-view.js';
export type { ValueEvent } from './value.js';
export { parametersOf, type HeatStyle } from '../../kiln-client/src/style.js';
export type { LegendOptions, OverlayOptions, ValueOptions };
