import { cellTexts, type Matrix } from './data.js';
import { indicesOf, type Selection } from './selection.js';

/** The value of all points in the selected cells, and their number. Null: no points. */
export function totalOf(matrix: Matrix, selection: Selection): { value: number; count: number } | null {
  const { x, y, values, counts, agg } = matrix;
  const columns = indicesOf(x, selection.columns) ?? x.keys.map((_, i) => i);
  const rows = indicesOf(y, selection.rows) ?? y.keys.map((_, i) => i);
  const cells = rows.flatMap((row) => columns.flatMap((column) => {
    const value = values[row]?.[column] ?? null;
    return value === null ? [] : [{ value, count: counts[row]?.[column] ?? 0 }];
  }));
  if (!cells.length) return null;
  const count = cells.reduce((sum, cell) => sum + cell.count, 0);
  if (agg === 'max') return { value: cells.reduce((max, cell) => Math.max(max, cell.value), -Infinity), count };
  if (agg === 'mean') return { value: cells.reduce((sum, cell) => sum + cell.value * cell.count, 0) / count, count };
  return { value: cells.reduce((sum, cell) => sum + cell.value, 0), count };
}

/** The same as text, such as `12.5 mean of delay` and `3 points`. */
export function totalTexts(matrix: Matrix, selection: Selection): string[] {
  const total = totalOf(matrix, selection);
  return total ? cellTexts(matrix, total.value, total.count) : ['no points'];
}
