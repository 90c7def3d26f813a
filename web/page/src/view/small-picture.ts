import L from 'leaflet';
import { parametersOf, request, type HeatStyle } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { decodeIndexed } from './indexed-png.js';

/** A rectangle of the Mercator map. x is 0 at 180° W and 1 at 180° E, y is 0 at the northern edge and 1 at the southern one. */
export interface WorldBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The relative values of the pixels of a small picture, from 0 to 1. */
export interface SmallPicture {
  box: WorldBox;
  columns: number;
  rows: number;
  /** The rows from the north. */
  values: Float64Array;
}

/** The factor of the server's logarithmic curve. */
const LOG_FACTOR = 999;
const MAX_LAT = 85.05;
const WORLD_PX = 256;

/** The location of a point of the map. */
export function latLngOf(x: number, y: number): L.LatLng {
  return L.CRS.EPSG3857.pointToLatLng(L.point(WORLD_PX * x, WORLD_PX * y), 0);
}

/** The rectangle of bounds. */
export function boxOf(bounds: L.LatLngBounds): WorldBox {
  const corner = (lat: number, lng: number) => L.CRS.EPSG3857.latLngToPoint(L.latLng(Math.min(Math.max(lat, -MAX_LAT), MAX_LAT), lng), 0).divideBy(WORLD_PX);
  const [from, to] = [corner(bounds.getNorth(), bounds.getWest()), corner(bounds.getSouth(), bounds.getEast())];
  return { left: from.x, top: from.y, width: to.x - from.x, height: to.y - from.y };
}

/**
 * Requests a small picture of a rectangle: a few kilobytes for any number of points. Its 256 colors are logarithmic, so each value
 * has an error of at most 3 %, and values below 1/40,000 of the highest are 0.
 */
export async function smallPicture(layer: string, style: HeatStyle, box: WorldBox, columns: number, rows: number, signal: AbortSignal): Promise<SmallPicture> {
  const [northWest, southEast] = [latLngOf(box.left, box.top), latLngOf(box.left + box.width, box.top + box.height)];
  const edges = [northWest.lng, southEast.lat, southEast.lng, northWest.lat].map((edge) => Number(edge.toFixed(6)));
  const parameters = parametersOf({ ...style, scheme: 'heat', curve: 'log', normalize: 'max' });
  parameters.set('projection', 'mercator');
  const response = await request(`${BASE}/${layer}/bbox/${edges.join(',')}/${columns}x${rows}.png?${parameters}`, { signal });
  const { width, height, values } = await decodeIndexed(await response.arrayBuffer());
  const amounts = Float64Array.from(values, (index) => Math.expm1((index / 255) * Math.log1p(LOG_FACTOR)) / LOG_FACTOR);
  return { box, columns: width, rows: height, values: amounts };
}
