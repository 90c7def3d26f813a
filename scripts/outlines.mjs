// Writes the outlines that `kiln animate` and print sheets draw, from the npm package world-atlas (Natural Earth 1:50m):
// crates/kiln-formats/src/encode/outlines/outlines-50m.json.gz. Run it in web/ after `npm ci`: node ../scripts/outlines.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

const require = createRequire(new URL('../web/package.json', import.meta.url));
const { feature, mesh } = require('topojson-client');
const world = JSON.parse(readFileSync(require.resolve('world-atlas/countries-50m.json'), 'utf8'));

/** Units per degree. The coordinates of the source are multiples of 0.0036°. */
const UNITS = 250;

/** Beyond the antimeridian, longitudes continue past 180°. */
function unwrapped(line) {
  let turn = 0;
  return line.map(([lng, lat], i) => {
    const before = line[i - 1]?.[0] ?? lng;
    if (Math.abs(lng - before) > 180) turn += lng < before ? 360 : -360;
    return [lng + turn, lat];
  });
}

/** Closes a ring around the pole (Antarctica), whose end is 360° from its start, along the pole. */
const closed = (ring) => (Math.abs(ring[0][0] - ring.at(-1)[0]) < 180 ? ring : [...ring, [ring.at(-1)[0], -90], [ring[0][0], -90]]);

/** The first position, then the differences: longitude, latitude, longitude, … */
function packed(line) {
  const units = line.map((position) => position.map((degrees) => Math.round(degrees * UNITS)));
  const kept = units.filter((position, i) => i === 0 || i === units.length - 1 || position.some((value, axis) => value !== units[i - 1][axis]));
  return kept.flatMap(([x, y], i) => (i ? [x - kept[i - 1][0], y - kept[i - 1][1]] : [x, y]));
}

const rings = feature(world, world.objects.land).features.flatMap(({ geometry }) =>
  geometry.type === 'Polygon' ? geometry.coordinates : geometry.coordinates.flat());
const land = rings.map(unwrapped).map(closed).map(packed);
const borders = mesh(world, world.objects.countries, (a, b) => a !== b).coordinates.map(unwrapped).map(packed);
const text = JSON.stringify({ units_per_degree: UNITS, land, borders });
const file = new URL('../crates/kiln-formats/src/encode/outlines/outlines-50m.json.gz', import.meta.url);
writeFileSync(file, gzipSync(text, { level: 9 }));
console.log(`${land.length} rings, ${borders.length} borders, ${text.length} bytes, ${readFileSync(file).length} compressed`);
