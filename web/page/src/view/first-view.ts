import L from 'leaflet';
import type { HeatStyle } from 'kiln-leaflet';

import type { LayerEntry } from '../catalog.js';
import { filterOf } from '../area/ring.js';
import { coveredPx, FIRST_ZOOM, wholeZoom } from '../globe-map.js';
import { isCompact } from '../sheet/layout.js';
import { Sums } from './densest.js';
import { boxOf, latLngOf, smallPicture, type WorldBox } from './small-picture.js';

/** The share of the heat that the first view shows. */
const SHARE = 0.8;
/** The least number of zooms beyond that of the whole layer that make the view worth it: on a wide screen the part is small. */
const GAIN = { compact: 1, wide: 3 };
/** The lowest zoom on a phone, on which a world is 512 pixels wide. */
const COMPACT_MIN_ZOOM = 1;
/** The longer side of the picture in pixels. */
const PICTURE_PX = 96;
/** The least number of pixels of a window on each side. A higher zoom needs a picture of the window. */
const MIN_WINDOW_PX = 10;
/** The highest number of pictures: each covers about a tenth of the width of the one before. */
const MAX_PICTURES = 4;
/** The margin of the first picture in its pixels: points on the edge of the bounds would be cut off. */
const EDGE_PX = 3;
/** At most this many points are shown all: 80 % of them is no part of its own. */
const FEW_POINTS = 20;
/** The margin around the heat, as a fraction of the view. */
const MARGIN = 0.06;
/** The first view does not wait longer for a slow server, in milliseconds. */
const TIMEOUT_MS = 1000;

interface Found {
  zoom: number;
  box: WorldBox;
}

/**
 * The view of the densest part of a layer: at the highest zoom at which one view contains 80 % of the sum of its points. Null where the
 * whole layer is the better view: it is not much larger, it has no points, or the server does not respond in time.
 */
export async function densestView(map: L.Map, layer: LayerEntry, style: HeatStyle): Promise<{ center: L.LatLng; zoom: number } | null> {
  if (layer.points <= FEW_POINTS) return null;
  const covered = coveredPx();
  const size = map.getSize().subtract([covered, 0]).multiplyBy(1 - 2 * MARGIN);
  if (size.x < 50 || size.y < 50) return null;
  const found = await find(layer, filterOf(style), size, AbortSignal.timeout(TIMEOUT_MS)).catch(() => null);
  if (!found) return null;
  const { fitting, zoom: whole } = wholeZoom(map, layer.bounds);
  const isBetter = isCompact() ? found.zoom >= whole + GAIN.compact || fitting < whole : found.zoom >= whole + GAIN.wide;
  if (!isBetter) return null;
  const { zoom, box } = found;
  const world = 256 * 2 ** zoom;
  return { zoom, center: latLngOf(box.left + box.width / 2 + covered / 2 / world, box.top + box.height / 2) };
}

/** Finds the highest zoom at which a window of `size` pixels contains most of the heat. */
async function find({ name, bounds, weight, style }: LayerEntry, filter: HeatStyle, size: L.Point, signal: AbortSignal): Promise<Found | null> {
  // The sum per pixel is the number of points, or the sum of their weights.
  const agg = weight && !['count', 'mean', 'max'].includes(style['agg'] ?? '') ? 'sum' : 'count';
  let box = padded(boxOf(L.latLngBounds(bounds)));
  let share = SHARE;
  let found: Found | null = null;
  let zoom = isCompact() ? COMPACT_MIN_ZOOM : FIRST_ZOOM.min;
  for (let count = 0; count < MAX_PICTURES && box.width > 0 && box.height > 0; count++) {
    const scale = PICTURE_PX / Math.max(box.width, box.height);
    const [columns, rows] = [box.width, box.height].map((side) => Math.max(Math.round(side * scale), 1)) as [number, number];
    const picture = await smallPicture(name, { ...filter, agg, radius: 1, units: 'per_px' }, box, columns, rows, signal);
    const sums = new Sums(picture);
    if (!(sums.total > 0)) return found;
    let inner: { box: WorldBox; share: number } | null = null;
    for (; zoom <= FIRST_ZOOM.max; zoom++) {
      const [width, height] = [size.x, size.y].map((side) => side / (256 * 2 ** zoom)) as [number, number];
      const [across, down] = [Math.floor((width / box.width) * picture.columns), Math.floor((height / box.height) * picture.rows)];
      const detail = Math.min(across < columns ? across : Infinity, down < rows ? down : Infinity);
      if (detail < (inner ? MIN_WINDOW_PX : 2)) break;
      const window = sums.densest(Math.max(across, 1), Math.max(down, 1));
      // At the lowest zoom of a phone, the most that fits.
      if (window.share < share && (found || !isCompact())) return found;
      found = { zoom, box: sums.trimmed(window) };
      if (window.share < share) return found;
      inner = { box: sums.boxOf(window), share: window.share };
    }
    if (zoom > FIRST_ZOOM.max || !inner) return found;
    box = inner.box;
    share /= inner.share;
  }
  return found;
}

/** The rectangle with a margin, within the map. */
function padded({ left, top, width, height }: WorldBox): WorldBox {
  const edge = (EDGE_PX / PICTURE_PX) * Math.max(width, height);
  const [from, to] = [Math.max(top - edge, 0), Math.min(top + height + edge, 1)];
  const wide = Math.min(width + 2 * edge, 1);
  return { left: left - (wide - width) / 2, top: from, width: wide, height: to - from };
}
