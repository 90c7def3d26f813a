import type { HeatStyle } from 'kiln-leaflet';

/** The corners of an area: longitudes and latitudes. Longitudes may be beyond ±180°. */
export type Ring = [number, number][];

const MAX_LON = 540;
const MAX_LAT = 85.05;
const MAX_CORNERS = 500;
const EARTH_RADIUS_KM = 6371;

const round = (value: number) => Number(value.toFixed(5));

/** Limits an area to the map. */
export const limited = (ring: Ring): Ring =>
  ring.map(([lng, lat]) => [round(Math.min(Math.max(lng, -MAX_LON), MAX_LON)), round(Math.min(Math.max(lat, -MAX_LAT), MAX_LAT))]);

/** The text of an area in a URL: `lng,lat;lng,lat;…`. */
export const ringText = (ring: Ring) => ring.map((corner) => corner.map(round).join(',')).join(';');

/** Parses the text of an area. Null: none, or an invalid text. */
export function parseRing(text: string | null): Ring | null {
  const corners = text ? text.split(';').map((corner) => corner.split(',').map((part) => (part.trim() ? Number(part) : NaN))) : [];
  const isValid = corners.length >= 3 && corners.length <= MAX_CORNERS && corners.every((corner) => corner.length === 2 && corner.every(Number.isFinite));
  return isValid ? limited(corners as Ring) : null;
}

/** The GeoJSON of an area. */
export const geoJsonOf = (ring: Ring) => JSON.stringify({ type: 'Polygon', coordinates: [[...ring, ring[0]]] });

/** The area in km², whose edges are straight on a map of longitude and latitude. */
export function areaKm2(ring: Ring): number {
  const rad = Math.PI / 180;
  let sum = 0;
  ring.forEach(([lng, lat], i) => {
    const [nextLng, nextLat] = ring[(i + 1) % ring.length]!;
    const [low, high] = [lat * rad, nextLat * rad];
    // The mean of the sine along the edge.
    const mean = Math.abs(high - low) < 1e-9 ? Math.sin(low) : (Math.cos(low) - Math.cos(high)) / (high - low);
    sum += (nextLng - lng) * rad * mean;
  });
  return Math.abs(sum) * EARTH_RADIUS_KM ** 2;
}

/** The parameters of a style that select points. */
export function filterOf(style: HeatStyle): HeatStyle {
  const filter: HeatStyle = {};
  for (const name of ['start', 'end', 'hours', 'weekdays', 'months', 'tz', 'category'] as const) {
    if (style[name] !== undefined) Object.assign(filter, { [name]: style[name] });
  }
  return filter;
}
