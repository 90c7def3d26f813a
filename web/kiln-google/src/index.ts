/// <reference types="google.maps" preserve="true" />
/** `google.maps.visualization.HeatmapLayer`, drawn by Kiln: points of the page on a canvas, or the tiles of a Kiln server. */
import { heatmapLayer, install, watchScripts } from './install.js';
import type { HeatmapLayer as Layer, HeatmapLayerConstructor, HeatmapLayerOptions } from './types.js';

// Not where a server renders pages.
if (typeof document !== 'undefined') {
  install();
  watchScripts();
}

/** The class for modules. It can be imported before the Maps API has loaded, and constructed afterwards. */
export const HeatmapLayer = class {
  constructor(options?: HeatmapLayerOptions) {
    return new (heatmapLayer())(options);
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof heatmapLayer();
  }
} as unknown as HeatmapLayerConstructor;
export type HeatmapLayer = Layer;

export { install };
export { KilnError, addPoints, type AddedPoints } from '../../kiln-client/src/client.js';
export type { HeatStyle } from '../../kiln-client/src/style.js';
export type { ServerLayer } from '../../kiln-client/src/server-layer.js';
export type { HeatmapData, HeatmapLayerConstructor, HeatmapLayerOptions, HeatmapPoint, WeightedLocation } from './types.js';
