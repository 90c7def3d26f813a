import { Points } from '../../kiln-client/src/canvas/points.js';
import type { HeatmapPoint } from './types.js';

/** Adds a point of the data to `points`. Throws a `TypeError` for one without a location. */
export function addPoint(points: Points, point: HeatmapPoint, index: number): void {
  const isWeighted = typeof point === 'object' && point !== null && 'location' in point;
  const location = isWeighted ? point.location : point;
  const weight = Number((isWeighted ? point.weight : 1) ?? 1);
  const lat = numberOf(location?.lat, location);
  const lng = numberOf(location?.lng, location);
  if (!Number.isFinite(lat) || !Number.isFinite(lng)) {
    throw new TypeError(`HeatmapLayer: data[${index}] has no location; expected a LatLng, { lat, lng }, { location, weight }, or in place of the array a layer of a server, { layer, url }`);
  }
  if (!Number.isFinite(weight)) throw new TypeError(`HeatmapLayer: the weight of data[${index}] is not a number`);
  points.addLatLng(lat, lng, weight);
}

/** A coordinate: a number, or a method that returns one. */
const numberOf = (coordinate: number | (() => number) | undefined, location: unknown) => (typeof coordinate === 'function' ? coordinate.call(location) : Number(coordinate));
