import { evenStops, paletteOf, type Stop } from '../../kiln-client/src/canvas/palette.js';

/** The default radius of a dot, in CSS pixels. */
export const RADIUS = 20;
/** The default opacity. */
export const OPACITY = 0.6;
/** The default colors: from transparent to green, yellow, orange and red. */
const STOPS: readonly Stop[] = [
  [0, 'rgba(102, 255, 0, 0)'],
  [0.1, 'rgb(102, 255, 0)'],
  [0.4, 'rgb(238, 255, 0)'],
  [0.7, 'rgb(255, 170, 0)'],
  [1, 'rgb(255, 0, 0)'],
];

/** The stops of a gradient option. */
export const stopsOf = (gradient: readonly string[] | null | undefined): readonly Stop[] => (gradient?.length ? evenStops(gradient) : STOPS);

/** The colors of a gradient option as pixels. */
export const colorsOf = (gradient: readonly string[] | null | undefined): Uint32Array => paletteOf(stopsOf(gradient));

/** The radius at a zoom, in CSS pixels. */
export const radiusAt = (radius: number, dissipating: boolean, zoom: number): number => (dissipating ? radius : radius * 2 ** zoom);

/** The standard deviation of a dot: the radius of Kiln's Gaussian is three of them. */
export const sigmaOf = (radius: number): number => radius / 3;

/** The value of a pixel at the center of a lone dot of weight 1, per square pixel, in the tiles of Kiln. */
export const peakOf = (radius: number): number => 1 / (2 * Math.PI * sigmaOf(radius) ** 2);

/** Checks an option. Throws a `RangeError` that names it. */
export function check(name: string, value: unknown): void {
  if (value === null || value === undefined) return;
  const fail = (expected: string): never => {
    throw new RangeError(`HeatmapLayer: ${name} is ${JSON.stringify(value)}; expected ${expected}`);
  };
  const isNumber = typeof value === 'number' && Number.isFinite(value);
  if (name === 'radius' && !(isNumber && value > 0)) fail('a number of pixels greater than 0');
  if (name === 'opacity' && !(isNumber && value >= 0 && value <= 1)) fail('a number from 0 to 1');
  if (name === 'maxIntensity' && !(isNumber && value >= 0)) fail('a number of 0 or more');
  if (name === 'gradient' && !(Array.isArray(value) && value.every((color) => typeof color === 'string'))) fail('an array of CSS colors');
  if (name === 'gradient') colorsOf(value as string[]);
}
