import type { Cell } from './api.js';

/** A number with up to six digits. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return String(Number(value.toPrecision(6))).replace('-', '−');
  return value.toLocaleString('en', { maximumSignificantDigits: 6 }).replace('-', '−');
}

/** The value of a cell, as it is shown. */
export function valueText({ value }: Pick<Cell, 'value'>): string {
  if (value === null) return 'No data';
  if (typeof value === 'number') return numberText(value);
  return value.replace('-', '−').replace('Infinity', '∞');
}

/** The value of a cell, as a screen reader speaks it. */
export function spokenText({ value, row, column }: Cell): string {
  const text = value === null ? 'No data' : typeof value === 'number' ? numberText(value) : value;
  return `${text}, row ${row}, column ${column}`;
}
