import { request } from 'kiln-leaflet';
import placesUrl from '../../places/places.csv?url';

import { color, worldOf } from './outlines.js';

export const PLACES_ATTRIBUTION = 'names: <a href="https://www.geonames.org/">GeoNames</a> (CC BY 4.0)';

/** A place and its name. Places are in the order of their importance. */
export interface Place {
  name: string;
  x: number;
  y: number;
}

/** The name of a place, and the offset of its center from the place. */
export interface Label {
  place: Place;
  dx: number;
  dy: number;
  width: number;
}

const SIZE_PX = 12;
export const FONT = `${SIZE_PX}px system-ui, sans-serif`;
const DOT_PX = 1.8;
const HALO_PX = 3;
/** The distance of a name from the dot of its place. */
const GAP_PX = 5;
/** The minimum distance of two names: larger at low zooms, where the map has few names. */
const margin = (zoom: number) => (zoom < 4 ? 14 : 9);
/** The number of places at a zoom, before those whose names overlap are left out. */
const placesAt = (zoom: number) => Math.round(55 * 2.7 ** Math.max(zoom - 2, -1));

let places: Promise<Place[]> | undefined;

/** Returns the places, which are loaded once. */
export function loadPlaces(): Promise<Place[]> {
  places ??= request(placesUrl).then(async (response) => {
    const rows = (await response.text()).trim().split('\n').slice(1);
    return rows.map((row) => {
      const [name = '', lat, lng] = row.split(',');
      const [x, y] = worldOf(Number(lng), Number(lat));
      return { name, x, y };
    });
  });
  places.catch(() => (places = undefined));
  return places;
}

/**
 * Chooses the names of a zoom: the most important ones that do not overlap. The result does not depend on the view, so that no name
 * appears or disappears while the map moves.
 */
export function layOut(places: Place[], zoom: number, context: CanvasRenderingContext2D): Label[] {
  const world = 256 * 2 ** zoom;
  const gap = margin(zoom);
  const chosen: Label[] = [];
  /** Boxes of the chosen names by cell. A name crosses few cells. */
  const cells = new Map<string, [number, number, number, number][]>();
  const CELL_PX = 128;
  const cellsOf = ([left, top, right, bottom]: readonly [number, number, number, number]) => {
    const keys: string[] = [];
    for (let column = Math.floor(left / CELL_PX); column <= right / CELL_PX; column++) {
      for (let row = Math.floor(top / CELL_PX); row <= bottom / CELL_PX; row++) keys.push(`${column} ${row}`);
    }
    return keys;
  };
  context.font = FONT;
  for (const place of places.slice(0, placesAt(zoom))) {
    const width = context.measureText(place.name).width;
    const [x, y] = [place.x * world, place.y * world];
    const aside = GAP_PX + width / 2;
    const positions: [number, number][] = [[aside, 0], [-aside, 0], [0, -GAP_PX - SIZE_PX / 2], [0, GAP_PX + SIZE_PX / 2]];
    for (const [dx, dy] of positions) {
      // The box of the name and of its dot.
      const [low, high] = [Math.min(dx - width / 2, -DOT_PX), Math.max(dx + width / 2, DOT_PX)];
      const box = [x + low - gap, y + dy - SIZE_PX / 2 - gap / 2, x + high + gap, y + dy + SIZE_PX / 2 + gap / 2] as [number, number, number, number];
      const keys = cellsOf(box);
      const others = keys.flatMap((key) => cells.get(key) ?? []);
      if (others.some((other) => other[0] < box[2] && other[2] > box[0] && other[1] < box[3] && other[3] > box[1])) continue;
      const kept = [box[0] + gap, box[1] + gap / 2, box[2] - gap, box[3] - gap / 2] as [number, number, number, number];
      for (const key of keys) cells.set(key, [...(cells.get(key) ?? []), kept]);
      chosen.push({ place, dx, dy, width });
      break;
    }
  }
  return chosen;
}

/** Draws the names of a view, whose upper left corner is at `left` and `top` in world coordinates. Returns their number. */
export function drawLabels(context: CanvasRenderingContext2D, labels: Label[], view: { left: number; top: number; width: number; height: number; world: number }): number {
  const { left, top, width, height, world } = view;
  const MARGIN_PX = 120;
  context.font = FONT;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  const [ink, halo] = [color('--name'), color('--name-halo')];
  let count = 0;
  for (let turn = Math.floor(left) - 1; turn <= left + width / world + 1; turn++) {
    for (const { place, dx, dy } of labels) {
      const [x, y] = [(place.x + turn - left) * world, (place.y - top) * world];
      if (x < -MARGIN_PX || x > width + MARGIN_PX || y < -MARGIN_PX || y > height + MARGIN_PX) continue;
      context.strokeStyle = halo;
      context.lineWidth = HALO_PX;
      context.strokeText(place.name, x + dx, y + dy);
      context.beginPath();
      context.arc(x, y, DOT_PX, 0, 2 * Math.PI);
      context.lineWidth = 2;
      context.stroke();
      context.fillStyle = ink;
      context.fill();
      context.fillText(place.name, x + dx, y + dy);
      if (x >= 0 && x <= width && y >= 0 && y <= height) count++;
    }
  }
  return count;
}
