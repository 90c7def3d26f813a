import type { SmallPicture, WorldBox } from './small-picture.js';

/** A window on a picture: its upper left corner and its size in pixels, and its share of the picture's sum. */
export interface Window {
  left: number;
  top: number;
  columns: number;
  rows: number;
  share: number;
}

/** A picture of the whole world continues at its other edge. */
const WORLD = 0.95;
/** The share of the sum that is cut off on each side to center the rest. */
const CUT = 0.01;

/** Sums of a picture over rectangles, in constant time. */
export class Sums {
  private readonly table: Float64Array;
  readonly total: number;
  readonly columns: number;

  constructor(private readonly picture: SmallPicture) {
    const { columns, rows, values, box } = picture;
    this.columns = box.width >= WORLD ? 2 * columns : columns;
    const stride = this.columns + 1;
    this.table = new Float64Array(stride * (rows + 1));
    for (let y = 0; y < rows; y++) {
      let row = 0;
      for (let x = 0; x < this.columns; x++) {
        row += values[y * columns + (x % columns)]!;
        this.table[(y + 1) * stride + x + 1] = this.table[y * stride + x + 1]! + row;
      }
    }
    this.total = this.of(0, 0, columns, rows);
  }

  of(left: number, top: number, columns: number, rows: number): number {
    const stride = this.columns + 1;
    const at = (x: number, y: number) => this.table[y * stride + x]!;
    const [right, bottom] = [left + columns, top + rows];
    return at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
  }

  /** The window of a size with the highest sum: the first of several. */
  densest(columns: number, rows: number): Window {
    const [width, height] = [Math.min(columns, this.picture.columns), Math.min(rows, this.picture.rows)];
    let best = { left: 0, top: 0, columns: width, rows: height, share: -1 };
    for (let top = 0; top + height <= this.picture.rows; top++) {
      for (let left = 0; left + width <= this.columns && left < this.picture.columns; left++) {
        const share = this.of(left, top, width, height) / this.total;
        if (share > best.share) best = { left, top, columns: width, rows: height, share };
      }
    }
    return best;
  }

  /** The rectangle of the map without empty edges of a window. */
  trimmed({ left, top, columns, rows }: Window): WorldBox {
    const sum = this.of(left, top, columns, rows);
    const range = (count: number, from: (at: number) => number): [number, number] => {
      let [first, last] = [0, count];
      while (first + 1 < last && from(first + 1) < CUT * sum) first++;
      while (last - 1 > first && sum - from(last - 1) < CUT * sum) last--;
      return [first, last];
    };
    const [west, east] = range(columns, (at) => this.of(left, top, at, rows));
    const [north, south] = range(rows, (at) => this.of(left, top, columns, at));
    return this.boxOf({ left: left + west, top: top + north, columns: east - west, rows: south - north });
  }

  /** The rectangle of the map of a window. */
  boxOf({ left, top, columns, rows }: Omit<Window, 'share'>): WorldBox {
    const { box } = this.picture;
    const [width, height] = [box.width / this.picture.columns, box.height / this.picture.rows];
    return { left: box.left + left * width, top: box.top + top * height, width: columns * width, height: rows * height };
  }
}
