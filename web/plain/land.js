// The land below the heat map of the plain page.

import { fetchJson } from './requests.js';

/** The rings of a TopoJSON polygon as [lng, lat], unwrapped: longitudes continue beyond ±180°. */
function ringsOf(polygon, arcs) {
  return polygon.map((ring) => {
    const points = [];
    let turn = 0;
    for (const index of ring) {
      const arc = index < 0 ? [...arcs[~index]].reverse() : arcs[index];
      for (const [lng, lat] of points.length ? arc.slice(1) : arc) {
        const step = points.length ? lng + turn - points.at(-1)[0] : 0;
        if (Math.abs(step) > 180) turn -= Math.sign(step) * 360;
        points.push([lng + turn, lat]);
      }
    }
    return points;
  });
}

/** Decodes the polygons of a TopoJSON topology: delta-encoded integers to degrees, arcs to rings. */
function polygonsOf({ arcs, transform: { scale, translate }, objects }) {
  const points = arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => [(x += dx) * scale[0] + translate[0], (y += dy) * scale[1] + translate[1]]);
  });
  return objects.land.geometries.flatMap((land) => land.arcs.map((polygon) => ringsOf(polygon, points)));
}

/** Closes a ring around the pole (Antarctica), whose end is 360° from its start, along the pole. */
function filled(ring) {
  const [first, last] = [ring[0], ring.at(-1)];
  return Math.abs(first[0] - last[0]) < 180 ? ring : [...ring, [last[0], -90], [first[0], -90]];
}

/** Returns the coastline of a ring: its edges apart from those along the antimeridian. */
function coast(ring) {
  const isCut = ([lng]) => Math.abs(lng % 360) > 179.999 && Math.abs(lng % 360) < 180.001;
  const lines = [[ring[0]]];
  for (let i = 1; i < ring.length; i++) {
    if (isCut(ring[i - 1]) && isCut(ring[i])) lines.push([]);
    lines.at(-1).push(ring[i]);
  }
  return lines;
}

/** Draws five copies of the land side by side, for views wider than the world. */
export async function drawLand(map) {
  const polygons = polygonsOf(await fetchJson('assets/land.json'));
  const pane = map.createPane('land');
  pane.style.zIndex = 150; // below the tiles and the pictures
  const renderer = L.svg({ pane: 'land', padding: 0.5 });
  const copies = (points) => [-720, -360, 0, 360, 720].map((turn) => points.map(([lng, lat]) => [lat, lng + turn]));
  const fills = polygons.flatMap((rings) => {
    const each = rings.map((ring) => copies(filled(ring)));
    return each[0].map((_, i) => each.map((ring) => ring[i])); // a ring and its holes, copy by copy
  });
  const lines = polygons.flat().flatMap(coast).filter((line) => line.length > 1).flatMap(copies);
  L.polygon(fills, { renderer, pane: 'land', interactive: false, stroke: false, className: 'land' }).addTo(map);
  L.polyline(lines, { renderer, pane: 'land', interactive: false, weight: 1, className: 'coast' }).addTo(map);
  map.attributionControl.addAttribution('Land: Natural Earth');
}
