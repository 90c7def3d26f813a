import type { Frame } from './grid.js';
import { Points } from './points.js';

/**
 * Merges the points within square cells: each cell gets one point at the mean position, with the weight that `weightOf` returns for
 * their sum. The positions of the result are in pixels. Points that are farther than `reach` from the frame are left out.
 */
export function mergePoints(points: Points, { scale, left, top, width, height, period }: Frame, cell: number, reach: number, weightOf: (sum: number) => number): Points {
  const [first, upper] = [Math.floor((left - reach) / cell), Math.floor((top - reach) / cell)];
  const columns = Math.ceil((left + width + reach) / cell) - first;
  const rows = Math.ceil((top + height + reach) / cell) - upper;
  const size = columns * rows;
  const [sums, counts, xs, ys] = [new Float64Array(size), new Uint32Array(size), new Float64Array(size), new Float64Array(size)];
  const right = (first + columns) * cell;
  for (let i = 0; i < points.length; i++) {
    const y = points.y[i]! * scale;
    const row = Math.floor(y / cell) - upper;
    if (!(row >= 0 && row < rows)) continue;
    let x = points.x[i]! * scale;
    if (period > 0) x += period * Math.ceil((first * cell - x) / period);
    do {
      const column = Math.floor(x / cell) - first;
      if (column >= 0 && column < columns) {
        const at = row * columns + column;
        sums[at]! += points.weight[i]!;
        counts[at]!++;
        xs[at]! += x;
        ys[at]! += y;
      }
      x += period;
    } while (period > 0 && x < right);
  }
  const merged = new Points(Math.min(size, points.length));
  for (let at = 0; at < size; at++) {
    const count = counts[at]!;
    if (count) merged.add(xs[at]! / count, ys[at]! / count, weightOf(sums[at]!));
  }
  return merged;
}
