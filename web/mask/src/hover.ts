import { byId } from '../../page/src/dom.js';
import { isAbort, type Api, type Cell } from './api.js';
import { valueText } from './values.js';
import type { Point } from './viewport.js';

/** The minimum time between two requests while the mouse moves. */
const PAUSE_MS = 60;

/** The value under a mouse. */
export class Hover {
  private underWay: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    /** Receives the cell under the mouse, or null if there is none. */
    private readonly found: (cell: Cell | null) => void,
  ) {}

  /** Handles a move of the mouse to a pixel of the picture, or null outside it. */
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
      // Errors are reported for clicks only, not for hovering.
      if (!isAbort(error)) this.show(null);
    }
  }

  private show(cell: Cell | null): void {
    showUnder(cell);
    this.found(cell);
  }
}

/** Shows the value under the mouse or the crosshair; null hides it. */
export function showUnder(cell: Cell | null): void {
  byId('under').hidden = !cell;
  byId('under').textContent = cell ? `${valueText(cell)} · row ${cell.row}, column ${cell.column}` : '';
}
