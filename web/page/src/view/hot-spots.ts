import type L from 'leaflet';

import { latLngOf, type SmallPicture } from './small-picture.js';

export interface HotSpots {
  /** From the hottest. */
  locations: L.LatLng[];
  /** The share of the picture with heat, from 0 to 1. */
  covered: number;
}

/** Spots with less than this share of the highest value are left out. */
const LEAST = 0.05;
/** A pixel with less than this share of the highest value has no visible color. */
const VISIBLE = 0.002;

/** The hottest pixels of a picture that are at least `apart` pixels from each other. */
export function hotSpots({ box, columns, rows, values }: SmallPicture, count: number, apart: number): HotSpots {
  const left = Float64Array.from(values);
  const most = left.reduce((most, value) => Math.max(most, value), 0);
  const locations: L.LatLng[] = [];
  while (most > 0 && locations.length < count) {
    let hottest = 0;
    for (let i = 1; i < left.length; i++) if (left[i]! > left[hottest]!) hottest = i;
    if (left[hottest]! < LEAST * most) break;
    const [x, y] = [hottest % columns, Math.floor(hottest / columns)];
    // A slope that continues beyond a spot that was found is no spot.
    if (isPeak(values, columns, rows, x, y)) locations.push(latLngOf(box.left + ((x + 0.5) / columns) * box.width, box.top + ((y + 0.5) / rows) * box.height));
    else {
      left[hottest] = 0;
      continue;
    }
    for (let row = Math.max(y - apart, 0); row <= Math.min(y + apart, rows - 1); row++) {
      for (let column = Math.max(x - apart, 0); column <= Math.min(x + apart, columns - 1); column++) left[row * columns + column] = 0;
    }
  }
  const covered = most > 0 ? values.reduce((sum, value) => sum + Number(value > VISIBLE * most), 0) / values.length : 0;
  return { locations, covered };
}

/** Whether no neighbor of a pixel is hotter. */
function isPeak(values: Float64Array, columns: number, rows: number, x: number, y: number): boolean {
  const own = values[y * columns + x]!;
  for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, rows - 1); row++) {
    for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, columns - 1); column++) {
      if (values[row * columns + column]! > own) return false;
    }
  }
  return true;
}
