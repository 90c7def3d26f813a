import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import coarseUrl from 'world-atlas/countries-110m.json?url';
import fineUrl from 'world-atlas/countries-50m.json?url';
import { fetchJson } from 'kiln-leaflet';
import { closed, unwrapped } from './rings';

type World = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

/** A line or ring in world coordinates: x from 0 at the antimeridian to 1 in the east, y from 0 in the north to 1. */
interface Path {
  xy: Float64Array;
  box: [number, number, number, number];
}

export interface Outlines {
  /** Rings to fill. */
  land: Path[];
  /** The rings without their edges along the antimeridian and the pole. */
  coast: Path[];
  borders: Path[];
}

/** A part of the world on a canvas: its upper left corner in world coordinates, and its size and that of the world in pixels. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  world: number;
}

/** The lowest zoom with the fine outlines. */
const FINE_ZOOM = 4;
/** The highest zoom at which the outlines are precise, and the zoom at which they have faded out. */
export const LAST_ZOOM = 9;
const NO_ZOOM = 12;
const MAX_LAT_DEG = 85.6;

/** The opacity of the outlines at a zoom. */
export const strengthAt = (zoom: number) => Math.min(1, Math.max(0, (NO_ZOOM - zoom) / (NO_ZOOM - LAST_ZOOM)));

/** World coordinates of a location. */
export function worldOf(lng: number, lat: number): [number, number] {
  const sine = Math.sin((Math.min(Math.max(lat, -MAX_LAT_DEG), MAX_LAT_DEG) * Math.PI) / 180);
  return [lng / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

function pathOf(ring: number[][]): Path {
  const xy = new Float64Array(2 * ring.length);
  const box: Path['box'] = [Infinity, Infinity, -Infinity, -Infinity];
  ring.forEach(([lng = 0, lat = 0], i) => {
    const [x, y] = worldOf(lng, lat);
    xy[2 * i] = x;
    xy[2 * i + 1] = y;
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  });
  return { xy, box };
}

/** Returns the coastline of a ring: its edges apart from those along the antimeridian or the pole. */
function coastOf(ring: number[][]): number[][][] {
  const isCut = ([lng = 0, lat = 0]: number[]) => Math.abs(Math.abs(lng) - 180) < 0.01 || lat < -85.1;
  const lines: number[][][] = [[]];
  ring.forEach((point, i) => {
    if (i > 0 && isCut(point) && isCut(ring[i - 1]!)) lines.push([]);
    lines.at(-1)!.push(point);
  });
  return lines.filter((line) => line.length > 1);
}

async function load(url: string): Promise<Outlines> {
  const world = await fetchJson<World>(url);
  const land = feature(world, world.objects.land);
  const rings: number[][][] = [];
  for (const { geometry } of land.features) {
    if (geometry.type === 'Polygon') rings.push(...geometry.coordinates);
    if (geometry.type === 'MultiPolygon') rings.push(...geometry.coordinates.flat());
  }
  const whole = rings.map(unwrapped);
  const borders = mesh(world, world.objects.countries, (a, b) => a !== b).coordinates.map(unwrapped);
  return { land: whole.map(closed).map(pathOf), coast: whole.flatMap(coastOf).map(pathOf), borders: borders.map(pathOf) };
}

const loaded = new Map<string, Promise<Outlines>>();

/** Returns the outlines for a zoom, each file of which is loaded once. */
export function outlinesAt(zoom: number): Promise<Outlines> {
  const url = zoom >= FINE_ZOOM ? fineUrl : coarseUrl;
  let outlines = loaded.get(url);
  if (!outlines) {
    outlines = load(url);
    loaded.set(url, outlines);
    outlines.catch(() => loaded.delete(url));
  }
  return outlines;
}

/** Adds the paths that cross a frame to the current path of a canvas. */
function trace(context: CanvasRenderingContext2D, paths: Path[], { left, top, width, height, world }: Frame): void {
  const margin = 2 / world;
  const [right, bottom] = [left + width / world + margin, top + height / world + margin];
  context.beginPath();
  // A frame can be wider than the world, and a ring can extend beyond the antimeridian.
  for (let turn = Math.floor(left) - 1; turn <= right + 1; turn++) {
    for (const { xy, box } of paths) {
      if (box[2] + turn < left - margin || box[0] + turn > right || box[3] < top - margin || box[1] > bottom) continue;
      for (let i = 0; i < xy.length; i += 2) {
        const [x, y] = [(xy[i]! + turn - left) * world, (xy[i + 1]! - top) * world];
        if (i) context.lineTo(x, y);
        else context.moveTo(x, y);
      }
    }
  }
}

/** The value of a color of the theme. */
export const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Fills land. */
export function fillLand(context: CanvasRenderingContext2D, { land }: Outlines, frame: Frame): void {
  trace(context, land, frame);
  context.fillStyle = color('--land');
  context.fill('evenodd');
}

/** Draws coasts and borders as thin lines. */
export function strokeLines(context: CanvasRenderingContext2D, { coast, borders }: Outlines, frame: Frame): void {
  context.lineJoin = 'round';
  trace(context, borders, frame);
  context.strokeStyle = color('--border-above');
  context.lineWidth = 0.7;
  context.stroke();
  trace(context, coast, frame);
  context.strokeStyle = color('--coast-above');
  context.lineWidth = 0.8;
  context.stroke();
}
