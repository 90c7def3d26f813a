import L from 'leaflet';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import coarseUrl from 'world-atlas/countries-110m.json?url';
import fineUrl from 'world-atlas/countries-50m.json?url';
import { fetchJson } from 'kiln-leaflet';

type World = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

/** A line or ring in world coordinates: x from 0 at the antimeridian to 1 in the east, y from 0 in the north to 1. */
interface Path {
  xy: Float64Array;
  box: [number, number, number, number];
}

interface Outlines {
  /** Rings to fill. */
  land: Path[];
  /** The rings without their edges along the antimeridian and the pole. */
  coast: Path[];
  borders: Path[];
}

/** The lowest zoom with the fine outlines. */
const FINE_ZOOM = 4;
const MAX_LAT_DEG = 85.6;

function pathOf(ring: number[][]): Path {
  const xy = new Float64Array(2 * ring.length);
  const box: Path['box'] = [Infinity, Infinity, -Infinity, -Infinity];
  ring.forEach(([lng = 0, lat = 0], i) => {
    const sine = Math.sin((Math.min(Math.max(lat, -MAX_LAT_DEG), MAX_LAT_DEG) * Math.PI) / 180);
    const x = lng / 360 + 0.5;
    const y = 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
    xy[2 * i] = x;
    xy[2 * i + 1] = y;
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  });
  return { xy, box };
}

/** Unwraps a ring or line: beyond the antimeridian its longitudes continue past 180°. */
function unwrapped(line: number[][]): number[][] {
  let turn = 0;
  return line.map(([lng = 0, lat = 0], i) => {
    const before = line[i - 1]?.[0] ?? lng;
    if (Math.abs(lng - before) > 180) turn += lng < before ? 360 : -360;
    return [lng + turn, lat];
  });
}

/** Closes a ring around the pole (Antarctica), whose end is 360° from its start, along the pole. */
function closed(ring: number[][]): number[][] {
  const [first = 0, last = 0] = [ring[0]?.[0], ring.at(-1)?.[0]];
  return Math.abs(first - last) < 180 ? ring : [...ring, [last, -90], [first, -90]];
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

async function outlines(url: string): Promise<Outlines> {
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

/** Land, coastlines and borders, drawn in tiles in the colors of the theme. Needs no server other than that of the page. */
export class Land extends L.GridLayer {
  private coarse: Outlines | null = null;
  private fine: Outlines | null = null;
  private isFineRequested = false;

  constructor(pane: string) {
    super();
    L.setOptions(this, { pane, tileSize: 512, updateWhenZooming: false, keepBuffer: 1, attribution: 'Natural Earth' });
  }

  /** Loads the coarse outlines. The fine ones are loaded at the first tile that needs them. */
  async load(): Promise<void> {
    this.coarse = await outlines(coarseUrl);
    this.redraw();
  }

  override createTile(coords: L.Coords): HTMLElement {
    const tile = document.createElement('canvas');
    const ratio = Math.min(Math.max(devicePixelRatio, 1), 2);
    const { x: side } = this.getTileSize();
    tile.width = tile.height = side * ratio;
    const context = tile.getContext('2d');
    const drawn = coords.z >= FINE_ZOOM ? this.bestOutlines() : this.coarse;
    if (context && drawn) {
      context.scale(ratio, ratio);
      this.draw(context, drawn, coords, side);
    }
    return tile;
  }

  private bestOutlines(): Outlines | null {
    if (!this.fine && !this.isFineRequested) {
      this.isFineRequested = true;
      outlines(fineUrl).then(
        (fine) => {
          this.fine = fine;
          this.redraw();
        },
        () => (this.isFineRequested = false), // the coarse outlines stay until a later tile requests the fine ones again
      );
    }
    return this.fine ?? this.coarse;
  }

  private draw(context: CanvasRenderingContext2D, { land, coast, borders }: Outlines, coords: L.Coords, side: number): void {
    const world = 256 * 2 ** coords.z;
    const [left, top] = [(coords.x * side) / world, (coords.y * side) / world];
    const margin = 2 / world;
    const [right, bottom] = [left + side / world + margin, top + side / world + margin];
    const colors = getComputedStyle(document.documentElement);
    const trace = (paths: Path[]) => {
      context.beginPath();
      // A tile can be wider than the world, and a ring can extend beyond the antimeridian.
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
    };
    trace(land);
    context.fillStyle = colors.getPropertyValue('--land');
    context.fill('evenodd');
    context.lineJoin = 'round';
    trace(borders);
    context.strokeStyle = colors.getPropertyValue('--border');
    context.lineWidth = 0.8;
    context.stroke();
    trace(coast);
    context.strokeStyle = colors.getPropertyValue('--coast');
    context.lineWidth = 1;
    context.stroke();
  }
}
