/** Heat maps of a Kiln server on a MapLibre map: tiles, a legend in real units, and the value at a click. */
export { HeatLayer, type HeatLayerOptions } from './heat-layer.js';
export { Legend } from './legend.js';
export { ValuePopup } from './value-popup.js';
export { addPoints, KilnError, legendOf, tileJson, valueAt, type AddedPoints, type NewPoint, type TileJson, type Value } from '../../kiln-client/src/client.js';
export type { HeatStyle } from '../../kiln-client/src/style.js';
