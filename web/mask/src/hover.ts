import { byId } from '../../page/src/dom.js';
import { isAbort, type Api, type Cell } from './api.js';
import { valueText } from './values.js';
import type { Point } from './viewport.js';

/** Between two requests while a mouse moves. */
const PAUSE_MS = 60;

/** The value under a mouse. */
export class Hover {
  private underWay: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    /** Receives the cell under the mouse, or null where there is none. */
    private readonly found: (cell: Cell | null) => void,
  ) {}

  /** A mouse over a pixel of the picture; null over none. */
  move(at: Point | null): void {
    clearTimeout(this.timer);
    this.underWay?.abort();
    if (at) this.timer = setTimeout(() => void this.look(at), PAUSE_MS);
    else this.show(null);
  }

  private async look({ x, y }: Point): Promise<void> {
    const underWay = (this.underWay = new AbortController());
    try {
      this.show(await this.api.value(x, y, underWay.signal));
    } catch (error) {
      // A click reports errors; a mouse that passes by does not.
      if (!isAbort(error)) this.show(null);
    }
  }

  private show(cell: Cell | null): void {
    showUnder(cell);
    this.found(cell);
  }
}

/** Shows the value under the mouse or the cross hair; null shows none. */
export function showUnder(cell: Cell | null): void {
  byId('under').hidden = !cell;
  byId('under').textContent = cell ? `${valueText(cell)} · row ${cell.row}, column ${cell.column}` : '';
}
