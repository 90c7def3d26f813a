import { byId, make } from '../dom.js';
import type { Grid } from './grid.js';

const OUTSIDE = 'Outside rooms';
const TOTAL = 'Total';

const whole = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 0 });
const signed = (value: number) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${whole(Math.abs(value))}`;

/** Numbers with the same count of decimals: three digits for the largest. */
function aligned(values: (number | null)[]): string[] {
  const max = Math.max(...values.map((value) => value ?? 0));
  const decimals = max > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(max)), 0), 6) : 0;
  return values.map((value) => value?.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }) ?? '–');
}

/** The ratios of B to A as text; `new` if only B has detections. */
function ratios(pairs: [number, number][]): string[] {
  const texts = aligned(pairs.map(([a, b]) => (a > 0 ? b / a : null)));
  return pairs.map(([a, b], i) => (a > 0 ? `${texts[i]}×` : b > 0 ? 'new' : '–'));
}

/** Shares of a total in percent. Those of parts of the total are rounded so that they sum to 100 %. */
function shares(values: number[], total: number): string[] {
  if (total <= 0) return values.map(() => '–');
  const exact = values.map((value) => (1000 * value) / total);
  const tenths = exact.map(Math.floor);
  const sum = values.reduce((sum, value) => sum + value, 0);
  const isParts = Math.abs(sum - total) <= 1e-9 * total;
  let missing = 1000 - tenths.reduce((sum, part) => sum + part, 0);
  const byRemainder = exact.map((_, i) => i).sort((a, b) => exact[b]! - tenths[b]! - (exact[a]! - tenths[a]!));
  for (const i of isParts ? byRemainder : []) if (missing-- > 0) tenths[i]!++;
  // Rooms that overlap: each by itself.
  return (isParts ? tenths : exact.map(Math.round)).map((part) => `${(part / 10).toFixed(1)} %`);
}

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

  /** Shows the rooms of a window, the remainder and the total. */
  show({ rooms, outside, total }: Grid): void {
    const all = rooms ?? [];
    const values = [...all.map(({ value }) => value), outside];
    const densities = aligned([...all.map(({ value, area }) => value / area), null]);
    const parts = shares(values, total);
    const row = (name: string, i: number) => [name, whole(values[i]!), densities[i]!, parts[i]!];
    const rows = all.map(({ name }, i) => row(name, i));
    const foot = [row(OUTSIDE, all.length), [TOTAL, whole(total), '–', total > 0 ? '100.0 %' : '–']];
    this.draw(['Room', 'Detections', 'per m²', 'Share'], rows, foot);
  }

  /** Shows the rooms of two windows, A and B, the remainder and the total. */
  showPair(before: Grid, after: Grid): void {
    const sums = ({ rooms, outside, total }: Grid) => [...(rooms ?? []).map(({ value }) => value), outside, total];
    const [was, is] = [sums(before), sums(after)];
    const pairs = was.map((value, i): [number, number] => [value, is[i] ?? 0]);
    const factors = ratios(pairs);
    const names = [...(before.rooms ?? []).map(({ name }) => name), OUTSIDE, TOTAL];
    const rows = pairs.map(([a, b], i) => [names[i]!, whole(a), whole(b), signed(b - a), factors[i]!]);
    this.draw(['Room', 'A', 'B', 'B − A', 'B / A'], rows.slice(0, -2), rows.slice(-2));
  }

  private draw(titles: string[], rows: string[][], foot: string[][]): void {
    const table = make('table', 'rooms');
    const head = table.createTHead().insertRow();
    for (const title of titles) {
      const cell = make('th', '', title);
      cell.scope = 'col';
      head.append(cell);
    }
    const body = table.createTBody();
    for (const cells of rows) {
      const row = this.addRow(body, cells);
      row.tabIndex = 0;
      for (const event of ['pointerenter', 'focus']) row.addEventListener(event, () => this.pointed(cells[0] ?? null));
      for (const event of ['pointerleave', 'blur']) row.addEventListener(event, () => this.pointed(null));
    }
    const sums = table.createTFoot();
    for (const cells of foot) this.addRow(sums, cells);
    this.box.replaceChildren(table);
  }

  private addRow(section: HTMLTableSectionElement, [name = '', ...values]: string[]): HTMLTableRowElement {
    const row = section.insertRow();
    const title = make('th', '', name);
    title.scope = 'row';
    row.append(title);
    for (const value of values) row.insertCell().textContent = value;
    return row;
  }
}
