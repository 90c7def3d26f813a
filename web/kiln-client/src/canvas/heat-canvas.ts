import type { Frame, Grid, View } from './grid.js';
import { COLORS } from './palette.js';

/** How a canvas is colored. */
export interface Coloring {
  /** Colors from cold to hot, of {@link paletteOf}. */
  palette: Uint32Array;
  /** The value of the hottest color. Null: the greatest one in the view. */
  max: number | null;
  /** The value of the coldest color. Default: 0. */
  min?: number;
}

/** Cells smaller than this, in CSS pixels, are drawn at the resolution of the screen, larger ones by CSS pixel: they have no details that the eye sees. */
const SHARP_CELL = 1.5;

/** Heat on a canvas: the values of a grid as colors. */
export class HeatCanvas<G extends Grid> {
  readonly element = document.createElement('canvas');
  /** The value of the hottest color of the last picture. */
  max = 0;
  private image: ImageData | null = null;
  /** The values of a row of the grid. */
  private line = new Float32Array(0);

  constructor(readonly grid: G) {}

  /** Draws the values of the grid within a frame. `view` is the part whose greatest value is the hottest color. */
  draw(frame: Frame, coloring: Coloring, view: View = frame): void {
    this.max = coloring.max ?? this.grid.maximum(view);
    this.color(frame, coloring, this.grid.cell < SHARP_CELL ? devicePixelRatio : 1);
  }

  /** Colors the values. */
  private color(frame: Frame, { palette, min = 0 }: Coloring, ratio: number): void {
    const [width, height] = [Math.max(1, Math.round(frame.width * ratio)), Math.max(1, Math.round(frame.height * ratio))];
    const { element, grid } = this;
    if (element.width !== width || element.height !== height) Object.assign(element, { width, height });
    Object.assign(element.style, { width: `${frame.width}px`, height: `${frame.height}px` });
    const context = element.getContext('2d');
    if (!context) return;
    if (this.image?.width !== width || this.image.height !== height) this.image = context.createImageData(width, height);
    const pixels = new Uint32Array(this.image.data.buffer);
    const factor = this.max > min ? (COLORS - 1) / (this.max - min) : 0;
    const step = 1 / (ratio * grid.cell);
    const start = (frame.left - grid.left) / grid.cell + step / 2;
    const empty = palette[Math.min(COLORS - 1, Math.max(0, Math.round(-min * factor)))]!;
    for (let y = 0; y < height; y++) {
      const row = pixels.subarray(y * width, (y + 1) * width);
      if (this.interpolate((frame.top - grid.top) / grid.cell + (y + 0.5) * step)) this.colorRow(row, start, step, palette, factor, min);
      else row.fill(empty);
    }
    context.putImageData(this.image, 0, 0);
  }

  /** Computes the values of a row between two rows of the grid, and returns whether one of them is not 0. */
  private interpolate(row: number): boolean {
    const { columns, values } = this.grid;
    if (this.line.length < columns) this.line = new Float32Array(columns);
    const above = Math.floor(row);
    const down = row - above;
    let isOccupied = false;
    for (let i = 0, at = above * columns; i < columns; i++, at++) {
      const value = values[at]! + down * (values[at + columns]! - values[at]!);
      if (value !== 0) isOccupied = true;
      this.line[i] = value;
    }
    return isOccupied;
  }

  /** Colors the values between the corners of the row. */
  private colorRow(pixels: Uint32Array, start: number, step: number, palette: Uint32Array, factor: number, min: number): void {
    const { line } = this;
    const last = COLORS - 1;
    for (let x = 0; x < pixels.length; x++) {
      const at = start + x * step;
      const column = at | 0;
      const left = line[column]!;
      const color = (left + (at - column) * (line[column + 1]! - left) - min) * factor;
      pixels[x] = palette[color <= 0 ? 0 : color >= last ? last : (color + 0.5) | 0]!;
    }
  }
}
