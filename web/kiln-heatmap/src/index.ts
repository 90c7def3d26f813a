/** The API of heatmap.js, drawn by Kiln: points of the page on a canvas, or the picture of a layer of a Kiln server. */
import { KilnHeatmap } from './heatmap.js';
import type { Heatmap, HeatmapConfiguration } from './types.js';

/** Adds a heat map to an element of the page. */
export const create = (configuration: HeatmapConfiguration): Heatmap => new KilnHeatmap(configuration);

// Pages of heatmap.js that load this package in its place. Where both are loaded, the other one stays.
(globalThis as { h337?: unknown }).h337 ??= { create };

export default { create };
export { KilnError } from '../../kiln-client/src/client.js';
export type { ServerLayer } from '../../kiln-client/src/server-layer.js';
export type { Extrema, Heatmap, HeatmapConfiguration, HeatmapData, HeatmapPoint } from './types.js';
