import { byId } from '../dom.js';
import type { MatrixChart, Place } from './chart.js';
import type { Range } from './selection.js';

/** What the user does with the chart. */
export interface ChartEvents {
  /** A rectangle is selected, or added to the selection. `isClick`: it is a single cell, row or column. */
  selected(columns: Range, rows: Range, isAdded: boolean, isClick: boolean): void;
  cleared(): void;
  /** The cell under the pointer or at the cursor of the keyboard. Null: none. */
  pointed(place: Place | null, byKeyboard: boolean): void;
}

type Start = { column: number | null; row: number | null };

/** Selects cells of a chart by pointer and keyboard. */
export class ChartInput {
  private readonly canvas = byId<HTMLCanvasElement>('chart');
  private readonly frame = byId('chart-frame');
  /** The number of columns and rows. */
  private size: [number, number] = [0, 0];
  private start: { at: Start; isAdded: boolean; end: Start } | null = null;
  private cursor: Place | null = null;
  /** The other corner of a selection by Shift and arrow keys. */
  private anchor: Place | null = null;

  constructor(private readonly chart: MatrixChart, private readonly events: ChartEvents) {
    this.canvas.addEventListener('pointerdown', (event) => this.pressed(event));
    this.canvas.addEventListener('pointermove', (event) => this.moved(event));
    this.canvas.addEventListener('pointerup', (event) => this.released(event));
    this.canvas.addEventListener('pointercancel', () => this.cancel());
    this.canvas.addEventListener('pointerleave', () => this.events.pointed(null, false));
    this.frame.addEventListener('keydown', (event) => this.key(event));
    this.frame.addEventListener('blur', () => this.setCursor(null));
    this.frame.addEventListener('focus', () => {
      if (this.frame.matches(':focus-visible') && this.size[0] && this.size[1]) this.setCursor({ column: 0, row: 0 });
    });
  }

  setSize(columns: number, rows: number): void {
    this.size = [columns, rows];
    this.start = this.cursor = this.anchor = null;
  }

  private at({ offsetX, offsetY }: PointerEvent): Start | null {
    return this.chart.placeAt(offsetX, offsetY);
  }

  private pressed(event: PointerEvent): void {
    const at = event.button === 0 ? this.at(event) : null;
    if (!at) return;
    this.setCursor(null);
    this.start = { at, isAdded: event.shiftKey, end: at };
    // On a touch screen a drag scrolls the page.
    if (event.pointerType !== 'touch') this.canvas.setPointerCapture(event.pointerId);
  }

  private moved(event: PointerEvent): void {
    const at = this.at(event);
    if (!this.start) {
      return this.events.pointed(at && at.column !== null && at.row !== null ? { column: at.column, row: at.row } : null, false);
    }
    if (!at || event.pointerType === 'touch') return;
    const { start } = this;
    // Beside the cells, the drag keeps the column or row that it had.
    start.end = { column: at.column ?? start.end.column, row: at.row ?? start.end.row };
    const [columns, rows] = this.ranges(start.at, start.end);
    if (start.end.column !== start.at.column || start.end.row !== start.at.row) this.chart.setDraft(columns, rows);
  }

  private released(event: PointerEvent): void {
    const { start } = this;
    if (!start) return;
    this.start = null;
    const isClick = start.end.column === start.at.column && start.end.row === start.at.row;
    this.events.selected(...this.ranges(start.at, start.end), start.isAdded || event.shiftKey, isClick);
  }

  private cancel(): void {
    this.start = null;
    this.events.pointed(null, false);
  }

  /** The ranges between two cells. A drag that starts at the labels selects whole rows or columns. */
  private ranges(from: Start, to: Start): [Range, Range] {
    const range = (a: number | null, b: number | null): Range => (a === null ? null : [Math.min(a, b ?? a), Math.max(a, b ?? a)]);
    return [range(from.column, to.column), range(from.row, to.row)];
  }

  private setCursor(place: Place | null): void {
    if (place === this.cursor) return;
    this.cursor = place;
    if (!place) this.anchor = null;
    this.chart.setCursor(place);
    this.events.pointed(place, true);
  }

  private key(event: KeyboardEvent): void {
    const [columns, rows] = this.size;
    if (!columns || !rows || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      Home: [-columns, 0], End: [columns, 0], PageUp: [0, -rows], PageDown: [0, rows],
    };
    const step = steps[event.key];
    const cursor = this.cursor ?? { column: 0, row: 0 };
    if (event.key === 'Escape') this.events.cleared();
    else if (event.key === 'Enter' || event.key === ' ') {
      this.anchor = cursor;
      this.events.selected([cursor.column, cursor.column], [cursor.row, cursor.row], event.shiftKey, true);
    } else if (step) {
      const clamp = (value: number, count: number) => Math.min(Math.max(value, 0), count - 1);
      const next = this.cursor ? { column: clamp(cursor.column + step[0], columns), row: clamp(cursor.row + step[1], rows) } : cursor;
      const anchor = event.shiftKey ? (this.anchor ?? cursor) : null;
      this.setCursor(next);
      this.anchor = anchor;
      if (anchor) this.events.selected(...this.ranges(anchor, next), false, false);
    } else return;
    event.preventDefault();
  }
}
