import { byId, make } from '../dom.js';
import type { Room } from './grid.js';

const whole = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 0 });
const signed = (value: number) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${whole(Math.abs(value))}`;
const short = (value: number) => Number(value.toPrecision(3)).toLocaleString('en');

/** The ratio of B to A as text; `new` if only B has detections. */
const ratio = (a: number, b: number) => (a > 0 ? `${short(b / a)}×` : b > 0 ? 'new' : '–');

/** The table of rooms and their sums. */
export class RoomTable {
  private readonly box = byId('rooms-table');

  constructor(
    /** Called with the room under the pointer or with the focus, and with null after it. */
    private readonly pointed: (room: string | null) => void,
  ) {}

  /** Shows a message in place of the table. */
  showMessage(text: string): void {
    this.box.replaceChildren(make('p', 'quiet', text));
  }

  /** Shows the rooms of a window. `total` is the sum of all cells, also outside of rooms. */
  show(rooms: Room[], total: number): void {
    const rows = rooms.map(({ name, value, area }) => [name, whole(value), short(value / area), total > 0 ? `${short((100 * value) / total)} %` : '–']);
    this.draw(['Room', 'Detections', 'per m²', 'Share'], rows);
  }

  /** Shows the rooms of two windows, A and B. */
  showPair(before: Room[], after: Room[]): void {
    const rows = before.map(({ name, value }, i) => {
      const other = after[i]?.value ?? 0;
      return [name, whole(value), whole(other), signed(other - value), ratio(value, other)];
    });
    this.draw(['Room', 'A', 'B', 'B − A', 'B / A'], rows);
  }

  private draw(titles: string[], rows: string[][]): void {
    const table = make('table', 'rooms');
    const head = table.createTHead().insertRow();
    for (const title of titles) {
      const cell = make('th', '', title);
      cell.scope = 'col';
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [name = '', ...values] of rows) {
      const row = body.insertRow();
      const title = make('th', '', name);
      title.scope = 'row';
      row.append(title);
      for (const value of values) row.insertCell().textContent = value;
      row.tabIndex = 0;
      for (const event of ['pointerenter', 'focus']) row.addEventListener(event, () => this.pointed(name));
      for (const event of ['pointerleave', 'blur']) row.addEventListener(event, () => this.pointed(null));
    }
    this.box.replaceChildren(table);
  }
}
