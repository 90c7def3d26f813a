import { Grid, type Frame } from './grid.js';
import type { Points } from './points.js';

/** The opacity of a dot at equal steps of the distance from its center, from 1 to 0 at its radius. */
export type Profile = Float32Array;

/** Points whose dots have one size. Their positions are in pixels, and their weights are opacities, 0 to 1. */
export interface Dots {
  points: Points;
  /** The radius in CSS pixels. */
  radius: number;
  profile: Profile;
}

/** The number of steps of a profile. */
const STEPS = 256;
/** The cells of the smallest radius. */
const CELLS_PER_RADIUS = 16;

/** The profile of a function of the distance, 0 to 1. */
export const profileOf = (opacityAt: (distance: number) => number): Profile => Float32Array.from({ length: STEPS + 2 }, (_, i) => (i < STEPS ? opacityAt(i / STEPS) : 0));

/** Translucent dots that are laid over each other: the opacity of a pixel is 1 − (1 − a)(1 − b)…, as that of pictures on a canvas. */
export class OverlayGrid extends Grid {
  /** Computes the opacities of a frame, whose scale is 1. */
  compute(dots: readonly Dots[], frame: Frame): void {
    const smallest = Math.min(...dots.map(({ radius }) => radius));
    this.cover(frame, Number.isFinite(smallest) ? Math.max(smallest / CELLS_PER_RADIUS, 1) : 16, 1);
    for (const { points, radius, profile } of dots) {
      for (let i = 0; i < points.length; i++) this.lay(points.x[i]!, points.y[i]!, points.weight[i]!, radius, profile);
    }
  }

  /** Lays a dot over the others. */
  private lay(x: number, y: number, opacity: number, radius: number, profile: Profile): void {
    const { columns, rows, values, cell } = this;
    const [column, row, reach] = [(x - this.left) / cell, (y - this.top) / cell, radius / cell];
    const [from, to] = [Math.max(0, Math.ceil(column - reach)), Math.min(columns - 1, Math.floor(column + reach))];
    const last = Math.min(rows - 1, Math.floor(row + reach));
    const steps = STEPS / reach;
    for (let j = Math.max(0, Math.ceil(row - reach)); j <= last; j++) {
      const square = (j - row) * (j - row);
      for (let i = from, at = j * columns + from; i <= to; i++, at++) {
        const step = Math.sqrt(square + (i - column) * (i - column)) * steps;
        if (step < STEPS) values[at]! += (1 - values[at]!) * opacity * profile[step | 0]!;
      }
    }
  }
}
