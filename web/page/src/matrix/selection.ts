import type { AxisData, Key } from './data.js';

/** Selected columns and rows. The selected cells are their product. Null: all. */
export interface Selection {
  columns: Key[] | null;
  rows: Key[] | null;
}

export const NOTHING: Selection = { columns: null, rows: null };

/** A range of columns or rows, inclusive, by index. Null: all. */
export type Range = [number, number] | null;

export const isEmpty = ({ columns, rows }: Selection) => columns === null && rows === null;

/** The indices of selected keys. Null: all. */
export function indicesOf({ keys }: AxisData, chosen: Key[] | null): number[] | null {
  if (!chosen) return null;
  const found = keys.flatMap((key, i) => (chosen.includes(key) ? [i] : []));
  return found.length ? found : null;
}

/** All keys are no selection. */
function normalized({ keys }: AxisData, chosen: Set<Key> | null): Key[] | null {
  if (!chosen) return null;
  const found = keys.filter((key) => chosen.has(key));
  return found.length && found.length < keys.length ? found : null;
}

/** The selection without keys that the axes do not have. */
export function within({ columns, rows }: Selection, x: AxisData, y: AxisData): Selection {
  return { columns: normalized(x, columns && new Set(columns)), rows: normalized(y, rows && new Set(rows)) };
}

/** The selection of a rectangle, or the one before with its columns and rows added. */
export function select(before: Selection, columns: Range, rows: Range, isAdded: boolean, x: AxisData, y: AxisData): Selection {
  const isPart = isAdded && !isEmpty(before);
  const chosen = (axis: AxisData, range: Range, was: Key[] | null) => {
    const keys = range && axis.keys.slice(Math.min(...range), Math.max(...range) + 1);
    if (!isPart) return normalized(axis, keys && new Set(keys));
    return normalized(axis, keys && was ? new Set([...was, ...keys]) : null);
  };
  return { columns: chosen(x, columns, before.columns), rows: chosen(y, rows, before.rows) };
}

export const same = (a: Selection, b: Selection) => JSON.stringify(a) === JSON.stringify(b);

/** Consecutive indices as ranges. */
export function runs(indices: number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const index of indices) {
    const last = found.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  }
  return found;
}

/** Selected values of an axis as text, such as `7–9, 16`. */
export function textOf(axis: AxisData, chosen: Key[] | null): string {
  const indices = indicesOf(axis, chosen);
  if (!indices) return 'all';
  const { labels } = axis;
  return runs(indices).map(([start, end]) => (start === end ? labels[start] : `${labels[start]} – ${labels[end]}`)).join(', ');
}
