import { byId } from '../../page/src/dom.js';
import type { Mask } from './api.js';
import type { Point, Viewport } from './viewport.js';

const STEPS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** The minimum distance that a key press moves, in CSS pixels: cells may be smaller than a screen pixel. */
const LEAST_STEP = 6;
const FAST = 10;

const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);

/** The cell that is selected with the keyboard. */
export class Crosshair {
  private readonly element = byId('cross');
  private cell: { row: number; column: number } | null = null;

  constructor(private readonly viewport: Viewport) {}

  /** The center of the cell in pixels of the picture; null if none is selected. */
  point(mask: Mask): Point | null {
    if (!this.cell) return null;
    return { x: ((this.cell.column + 0.5) / mask.columns) * mask.width, y: ((this.cell.row + 0.5) / mask.rows) * mask.height };
  }

  /** Selects the cell at a pixel of the picture. */
  set({ x, y }: Point, mask: Mask): void {
    const cell = (at: number, px: number, cells: number) => clamp(Math.floor((at / px) * cells), cells - 1);
    this.cell = { row: cell(y, mask.height, mask.rows), column: cell(x, mask.width, mask.columns) };
  }

  /** Handles an arrow key; returns false for other keys. The first key press starts at the center of the view. */
  move({ key, shiftKey }: KeyboardEvent, mask: Mask): boolean {
    const [right, down] = STEPS[key] ?? [0, 0];
    if (!right && !down) return false;
    if (!this.cell) this.set(this.viewport.middle, mask);
    const cells = (count: number, px: number) => Math.max(1, Math.round((LEAST_STEP * count) / (px * this.viewport.scale))) * (shiftKey ? FAST : 1);
    const { row, column } = this.cell!;
    this.cell = {
      row: clamp(row + down * cells(mask.rows, mask.height), mask.rows - 1),
      column: clamp(column + right * cells(mask.columns, mask.width), mask.columns - 1),
    };
    this.viewport.reveal(this.point(mask)!);
    return true;
  }

  hide(): void {
    this.cell = null;
    this.element.hidden = true;
  }

  place(mask: Mask): void {
    const point = this.point(mask);
    this.element.hidden = !point;
    if (!point) return;
    const { x, y } = this.viewport.toView(point);
    this.element.style.transform = `translate(${x}px, ${y}px)`;
  }
}
