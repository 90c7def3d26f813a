import { byId } from '../../page/src/dom.js';
import type { Cell } from './api.js';
import { valueText } from './values.js';
import type { Viewport } from './viewport.js';

const GAP = 12;

/** A popup with the value of a cell. */
export class Popup {
  private readonly element = byId('popup');
  private cell: Cell | null = null;

  /** Calls `closed` when the user closes the popup. */
  constructor(private readonly closed: () => void) {
    byId('popup-close').addEventListener('click', () => this.close());
  }

  get isOpen(): boolean {
    return this.cell !== null;
  }

  open(cell: Cell, viewport: Viewport): void {
    this.cell = cell;
    byId('popup-value').textContent = valueText(cell);
    byId('popup-value').classList.toggle('missing', cell.value === null);
    byId('popup-row').textContent = String(cell.row);
    byId('popup-column').textContent = String(cell.column);
    this.element.hidden = false;
    this.place(viewport);
  }

  close(): void {
    this.cell = null;
    this.element.hidden = true;
    this.closed();
  }

  /** Positions the popup above its cell, or below if there is no space. Hides it while the cell is out of view. */
  place(viewport: Viewport): void {
    if (!this.cell) return;
    const at = viewport.toView(this.cell);
    const { clientWidth, clientHeight } = byId('stage');
    this.element.hidden = at.x < 0 || at.y < 0 || at.x > clientWidth || at.y > clientHeight;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = Math.min(Math.max(at.x - width / 2, 4), clientWidth - width - 4);
    const isBelow = at.y - height - GAP < 4;
    const top = isBelow ? at.y + GAP : at.y - height - GAP;
    this.element.classList.toggle('below', isBelow);
    this.element.style.setProperty('--tip', `${Math.min(Math.max(at.x - left, 14), width - 14)}px`);
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
