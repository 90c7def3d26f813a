/** Heat maps of a Kiln server on a Leaflet map: `L.kiln.tileLayer`, `L.kiln.overlay`, `L.kiln.legend`, `L.kiln.value`. */
import L from 'leaflet';

import { HeatLayer } from './heat-layer.js';
import { KilnLegend, type LegendOptions } from './legend.js';
import { KilnOverlay, type OverlayOptions } from './overlay.js';
import { KilnTileLayer } from './tile-layer.js';
import type { HeatStyle } from './style.js';
import { KilnValue, type ValueOptions } from './value.js';

/** What is put on `L.kiln`. */
export interface Kiln {
  /** The layer called `layer` of the server at `base`, by its tiles. */
  tileLayer(base: string, layer: string, style?: HeatStyle, options?: L.TileLayerOptions): KilnTileLayer;
  /** The same as one picture of what is on screen. */
  overlay(base: string, layer: string, style?: HeatStyle, options?: OverlayOptions): KilnOverlay;
  /** A control that tells what the colors of `source` mean. */
  legend(source: HeatLayer, options?: LegendOptions): KilnLegend;
  /** Tells the value of `source` where `map` is clicked, and on request under the cursor. */
  value(map: L.Map, source: HeatLayer, options?: ValueOptions): KilnValue;
}

/** What is put on `L.kiln`. */
export const kiln: Kiln = {
  tileLayer: (base, layer, style, options) => new KilnTileLayer(base, layer, style, options),
  overlay: (base, layer, style, options) => new KilnOverlay(base, layer, style, options),
  legend: (source, options) => new KilnLegend(source, options),
  value: (map, source, options) => new KilnValue(map, source, options),
};

declare module 'leaflet' {
  /** Heat maps of a Kiln server. */
  let kiln: Kiln;
}

// A module's namespace cannot be written to; where Leaflet is one, `kiln` is imported by its name.
if (Object.isExtensible(L)) (L as { kiln: Kiln }).kiln = kiln;

export { ask, legendOf, tileJson, valueAt, KilnError, type Legend, type TileJson, type Value } from './client.js';
export { HeatLayer, KilnLegend, KilnOverlay, KilnTileLayer, KilnValue };
export { amountOf, describe, type ValueEvent } from './value.js';
export { parametersOf, type HeatStyle } from './style.js';
export type { LegendOptions, OverlayOptions, ValueOptions };
