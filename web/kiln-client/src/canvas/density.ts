import { Grid, type Frame } from './grid.js';
import type { Points } from './points.js';

/** The cells of three standard deviations. */
const CELLS_PER_RADIUS = 8;
/** The smallest cell, in CSS pixels. */
const MIN_CELL = 0.5;
/** Where the Gaussian is truncated, at 0.03 % of its height. */
const REACH_IN_SIGMA = 4;

/**
 * The sum of the dots of points: Gaussians with the height of their weight. The cost depends on the number of cells, and only weakly
 * on the number of points: these are summed per cell first, each one in the four cells around it.
 */
export class DensityGrid extends Grid {
  private other = new Float32Array(0);

  /** Computes the values of a frame. `sigma` is the standard deviation of a dot in CSS pixels. */
  compute(points: Points, frame: Frame, sigma: number): void {
    const cell = Math.max((3 * sigma) / CELLS_PER_RADIUS, MIN_CELL);
    this.cover(frame, cell, Math.ceil((REACH_IN_SIGMA * sigma) / cell) + 1);
    if (this.other.length < this.values.length) this.other = new Float32Array(this.values.length);
    this.sum(points, frame);
    this.blur(weightsOf(sigma / cell));
  }

  /** Sums the weights of the points per cell. */
  private sum(points: Points, { scale, period }: Frame): void {
    const { columns, rows, values, cell } = this;
    const [factor, left, top] = [scale / cell, this.left / cell, this.top / cell];
    const [step, right] = [period / cell, this.left / cell + columns - 1];
    const { x: xs, y: ys, weight: weights, length } = points;
    for (let i = 0; i < length; i++) {
      const y = ys[i]! * factor - top;
      if (!(y >= 0 && y < rows - 1)) continue;
      const row = Math.floor(y);
      const down = y - row;
      const weight = weights[i]!;
      // On a map that repeats, from the first copy that is visible.
      let at = xs[i]! * factor;
      if (step > 0) at += step * Math.ceil((left - at) / step);
      do {
        const x = at - left;
        if (x >= 0 && at < right) {
          const column = Math.floor(x);
          const part = x - column;
          const start = row * columns + column;
          const [upper, lower] = [weight * (1 - down), weight * down];
          values[start]! += upper * (1 - part);
          values[start + 1]! += upper * part;
          values[start + columns]! += lower * (1 - part);
          values[start + columns + 1]! += lower * part;
        }
        at += step;
      } while (step > 0 && at < right);
    }
  }

  /** Blurs the rows and then the columns. */
  private blur(kernel: Float64Array): void {
    const { columns, rows, values, other } = this;
    const reach = kernel.length - 1;
    const occupied = new Uint8Array(rows);
    // Outside of the frame are as many cells as the kernel reaches, whose values do not matter.
    const [first, last] = [reach, columns - reach];
    for (let row = 0; row < rows; row++) {
      const line = values.subarray(row * columns, (row + 1) * columns);
      if (!line.some(Boolean)) continue;
      occupied[row] = 1;
      const result = other.subarray(row * columns, (row + 1) * columns);
      for (let i = first; i < last; i++) {
        let sum = kernel[0]! * line[i]!;
        for (let k = 1; k <= reach; k++) sum += kernel[k]! * (line[i - k]! + line[i + k]!);
        result[i] = sum;
      }
    }
    values.fill(0, 0, columns * rows);
    for (let row = reach; row < rows - reach; row++) {
      const start = row * columns;
      for (let k = -reach; k <= reach; k++) {
        if (!occupied[row + k]) continue;
        const weight = kernel[Math.abs(k)]!;
        const from = (row + k) * columns;
        for (let i = first; i < last; i++) values[start + i]! += weight * other[from + i]!;
      }
    }
  }
}

/**
 * The weights of a Gaussian at 0, 1, 2, … cells, for a standard deviation in cells. Its variance is less that of the distribution of a
 * point to two cells, and of the interpolation between them. Applied to rows and columns, it makes the center of a lone dot 1.
 */
function weightsOf(sigma: number): Float64Array {
  const variance = Math.max(sigma * sigma - 1 / 3, 0.04);
  const reach = Math.max(1, Math.ceil(REACH_IN_SIGMA * Math.sqrt(variance)));
  const weights = Float64Array.from({ length: reach + 1 }, (_, k) => Math.exp((-k * k) / (2 * variance)));
  const total = weights.reduce((sum, weight, k) => sum + (k ? 2 : 1) * weight, 0);
  return weights.map((weight) => (weight / total) * Math.sqrt(2 * Math.PI) * sigma);
}
