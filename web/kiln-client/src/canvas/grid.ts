/** A rectangle of the plane, in pixels. */
export interface Frame {
  /** The pixels per unit of the plane. */
  scale: number;
  left: number;
  top: number;
  width: number;
  height: number;
  /** The width after which the plane repeats, in pixels; 0 if it does not. */
  period: number;
}

/** The part of a frame that is visible. */
export type View = Pick<Frame, 'left' | 'top' | 'width' | 'height'>;

/** Values on a grid of square cells that covers a frame. The cells of a zoom are always at the same positions, so that dots do not flicker when the map moves. */
export class Grid {
  /** The size of a cell in CSS pixels. */
  cell = 1;
  /** The values at the corners of cells, by rows. */
  values = new Float32Array(0);
  columns = 0;
  rows = 0;
  /** The position of the first corner, in pixels. */
  left = 0;
  top = 0;

  /** Covers a frame and `reach` cells around it with cells whose value is 0. */
  protected cover(frame: Frame, cell: number, reach: number): void {
    const [first, top] = [Math.floor(frame.left / cell) - reach, Math.floor(frame.top / cell) - reach];
    this.cell = cell;
    this.columns = Math.ceil((frame.left + frame.width) / cell) + reach + 1 - first;
    this.rows = Math.ceil((frame.top + frame.height) / cell) + reach + 1 - top;
    this.left = first * cell;
    this.top = top * cell;
    const size = this.columns * this.rows;
    if (this.values.length < size) this.values = new Float32Array(size);
    else this.values.fill(0, 0, size);
  }

  /** The greatest value within a view. */
  maximum({ left, top, width, height }: View): number {
    const clamp = (at: number, count: number) => Math.min(Math.max(at, 0), count);
    const from = clamp(Math.floor((left - this.left) / this.cell), this.columns);
    const to = clamp(Math.ceil((left + width - this.left) / this.cell) + 1, this.columns);
    const last = clamp(Math.ceil((top + height - this.top) / this.cell) + 1, this.rows);
    let max = 0;
    for (let row = clamp(Math.floor((top - this.top) / this.cell), this.rows); row < last; row++) {
      const start = row * this.columns;
      for (let i = start + from; i < start + to; i++) if (this.values[i]! > max) max = this.values[i]!;
    }
    return max;
  }

  /** The value at a position in pixels, between the cells around it. */
  at(x: number, y: number): number {
    const [column, row] = [(x - this.left) / this.cell, (y - this.top) / this.cell];
    const [i, j] = [Math.floor(column), Math.floor(row)];
    if (i < 0 || j < 0 || i + 1 >= this.columns || j + 1 >= this.rows) return 0;
    const [right, down] = [column - i, row - j];
    const start = j * this.columns + i;
    const [a, b, c, d] = [start, start + 1, start + this.columns, start + this.columns + 1].map((at) => this.values[at]!) as [number, number, number, number];
    return (1 - down) * ((1 - right) * a + right * b) + down * ((1 - right) * c + right * d);
  }
}
