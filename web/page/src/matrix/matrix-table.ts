import { byId, make, number } from '../dom.js';
import { amount, cellTexts, type Matrix } from './data.js';

/** The maximum number of cells of a table. */
const MAX_CELLS = 10_000;

/** The matrix as a table, for screen readers and for copying. It is filled when it is opened. */
export class MatrixTable {
  private readonly details = byId<HTMLDetailsElement>('table-details');
  private readonly box = byId('table');
  private matrix: Matrix | null = null;
  private isCurrent = false;

  constructor() {
    this.details.addEventListener('toggle', () => this.fill());
  }

  show(matrix: Matrix | null): void {
    this.matrix = matrix;
    this.isCurrent = false;
    this.details.hidden = matrix === null;
    this.fill();
  }

  private fill(): void {
    const { matrix } = this;
    if (!matrix || !this.details.open || this.isCurrent) return;
    this.isCurrent = true;
    const count = matrix.x.labels.length * matrix.y.labels.length;
    if (count > MAX_CELLS) {
      const text = `The matrix has ${number(count)} cells, more than a table of the page has. The CSV has all of them.`;
      return this.box.replaceChildren(make('p', 'quiet', text));
    }
    const table = make('table');
    table.createCaption().textContent = matrix.unit;
    const head = table.createTHead().insertRow();
    for (const label of ['', ...matrix.x.labels]) head.append(header(label, 'col'));
    const body = table.createTBody();
    matrix.values.forEach((values, i) => {
      const row = body.insertRow();
      row.append(header(matrix.y.labels[i]!, 'row'));
      values.forEach((value, j) => {
        const cell = row.insertCell();
        cell.textContent = value === null ? '–' : amount(value);
        if (value !== null) cell.title = cellTexts(matrix, value, matrix.counts[i]?.[j] ?? 0).join(', ');
      });
    });
    this.box.replaceChildren(table);
  }
}

function header(label: string, scope: 'col' | 'row'): HTMLTableCellElement {
  const cell = make('th', '', label);
  cell.scope = scope;
  return cell;
}
