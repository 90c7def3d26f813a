/** The distance at which the Gaussian ends, in radii: 5 standard deviations. */
const GAUSSIAN_REACH = 5 / 3;

const gaussian = (u: number) => Math.exp(-4.5 * u * u);
const triangle = (u: number) => Math.max(1 - Math.abs(u), 0);

/** The shapes of the server's kernels, by the distance from the point in radii. */
const SHAPES: Record<string, (u: number, v: number) => number> = {
  gaussian: (u, v) => gaussian(u) * gaussian(v),
  cone: (u, v) => Math.max(1 - Math.hypot(u, v), 0),
  quartic: (u, v) => Math.max(1 - u * u - v * v, 0) ** 2,
  epanechnikov: (u, v) => Math.max(1 - u * u - v * v, 0),
  triangular: (u, v) => triangle(u) * triangle(v),
  uniform: (u, v) => (u * u + v * v <= 1 ? 1 : 0),
};

/** A kernel as the server samples it: at whole pixels, with the sum 1. */
export interface Kernel {
  /** The number of pixels on each side of the center. */
  reach: number;
  /** The rows from north to south, each of 2 · reach + 1 values. */
  values: Float32Array;
}

export const isShape = (shape: string) => shape in SHAPES;

/** The maximum distance in pixels at which a point contributes. */
export const reachOf = (shape: string, radiusPx: number) => Math.floor(radiusPx * (shape === 'gaussian' ? GAUSSIAN_REACH : 1));

/** The kernel of a shape and a radius in pixels. */
export function kernelOf(shape: string, radiusPx: number): Kernel {
  const reach = reachOf(shape, radiusPx);
  const side = 2 * reach + 1;
  const valueAt = SHAPES[shape] ?? SHAPES['gaussian']!;
  const values = Float32Array.from({ length: side * side }, (_, i) => valueAt(((i % side) - reach) / radiusPx, (Math.floor(i / side) - reach) / radiusPx));
  const sum = values.reduce((sum, value) => sum + value, 0);
  return { reach, values: values.map((value) => value / sum) };
}

/** A point in pixels of a canvas. */
export interface Dot {
  x: number;
  y: number;
  weight: number;
  radiusPx: number;
}

/** The steps of radii, as a factor: dots with about the same radius on the ground share a kernel. */
const RADIUS_STEP = 1.01;

/**
 * The sum of the weights of the dots around each pixel, weighted by the kernel: an amount per pixel. Null if that takes more than
 * `maxSteps` additions. Dots outside of the canvas contribute to the pixels in reach.
 */
export function densityOf(dots: readonly Dot[], shape: string, width: number, height: number, maxSteps: number): Float32Array | null {
  // As on the server, points are summed per pixel first.
  const pixels = new Map<number, Dot>();
  for (const { x, y, weight, radiusPx } of dots) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const key = (row + 4096) * 131_072 + column + 4096;
    const pixel = pixels.get(key);
    if (pixel) pixel.weight += weight;
    else pixels.set(key, { x: column, y: row, weight, radiusPx });
  }
  const stepOf = (radiusPx: number) => Math.round(Math.log(radiusPx) / Math.log(RADIUS_STEP));
  let steps = 0;
  for (const { radiusPx } of pixels.values()) steps += (2 * reachOf(shape, radiusPx) + 1) ** 2;
  if (steps > maxSteps) return null;
  const isUniform = dots.every(({ radiusPx }) => radiusPx === dots[0]!.radiusPx);
  const kernels = new Map<number, Kernel>();
  const density = new Float32Array(width * height);
  for (const { x, y, weight, radiusPx } of pixels.values()) {
    const step = isUniform ? 0 : stepOf(radiusPx);
    let kernel = kernels.get(step);
    if (!kernel) kernels.set(step, (kernel = kernelOf(shape, isUniform ? radiusPx : RADIUS_STEP ** step)));
    const { reach, values } = kernel;
    const side = 2 * reach + 1;
    const [left, right] = [Math.max(x - reach, 0), Math.min(x + reach, width - 1)];
    for (let row = Math.max(y - reach, 0); row <= Math.min(y + reach, height - 1); row++) {
      let from = (row - y + reach) * side + left - x + reach;
      let to = row * width + left;
      for (let column = left; column <= right; column++) density[to++]! += weight * values[from++]!;
    }
  }
  return density;
}
