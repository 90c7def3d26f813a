import L from 'leaflet';

import { latLngOf } from '../view/small-picture.js';
import type { Place } from './places.js';

const DIRECTIONS = ['north', 'northeast', 'east', 'southeast', 'south', 'southwest', 'west', 'northwest'];
/** A location this near, in pixels of the map, is at the place. */
const AT_PX = 12;
/** At a shorter distance in kilometers, too. */
const AT_KM = 3;
/** A more important place may be farther than the nearest one by this factor. */
const FARTHER = 1.3;

/**
 * A location in words, from the most important of the nearest places: `Oslo`, or `40 km north of Oslo`. `places` are in the order of
 * their importance; `pixelM` is the width of a pixel in meters.
 */
export function nearestText(places: readonly Place[], location: L.LatLng, pixelM: number): string {
  const here = location.wrap();
  const near = Math.max(AT_PX * pixelM, 1000 * AT_KM);
  const distances = places.map(({ x, y }) => L.CRS.EPSG3857.distance(here, latLngOf(x, y)));
  const reach = Math.max(near, FARTHER * distances.reduce((least, meters) => Math.min(least, meters), Infinity));
  const index = distances.findIndex((meters) => meters <= reach);
  const place = places[index];
  if (!place) return locationText(location);
  const best = { name: place.name, at: latLngOf(place.x, place.y), meters: distances[index]! };
  if (best.meters <= near) return best.name;
  const km = best.meters / 1000;
  const distance = (km < 100 ? Math.round(km) : Math.round(km / 10) * 10).toLocaleString('en');
  return `${distance} km ${directionFrom(best.at, here)} of ${best.name}`;
}

/** A location in words: `59.33° N, 18.07° E`. */
export function locationText(location: L.LatLng): string {
  const { lat, lng } = location.wrap();
  const part = (value: number, [positive, negative]: [string, string]) => `${Math.abs(value).toFixed(2)}° ${value < 0 ? negative : positive}`;
  return `${part(lat, ['N', 'S'])}, ${part(lng, ['E', 'W'])}`;
}

function directionFrom(from: L.LatLng, to: L.LatLng): string {
  const rad = Math.PI / 180;
  const across = (to.lng - from.lng) * rad;
  const [south, north] = [from.lat * rad, to.lat * rad];
  const bearing = Math.atan2(Math.sin(across) * Math.cos(north), Math.cos(south) * Math.sin(north) - Math.sin(south) * Math.cos(north) * Math.cos(across));
  return DIRECTIONS[Math.round(bearing / rad / 45 + 8) % 8]!;
}
