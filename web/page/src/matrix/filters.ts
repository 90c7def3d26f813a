import type { Part, TimeParts } from '../time-parts.js';
import type { AxisData, Key, Matrix } from './data.js';
import { indicesOf, runs } from './selection.js';
import type { MatrixState } from './state.js';

/** What the map shows of a selection. */
export interface MapFilter extends TimeParts {
  /** Local dates with or without times. Null: no limit. */
  start: string | null;
  end: string | null;
  categories: string[];
  /** The limits of selected bins of longitude and latitude. */
  bounds: { west?: number; east?: number; south?: number; north?: number } | null;
  /** Whether no point can pass. */
  isEmpty: boolean;
  /** What the map cannot show, as sentences. */
  notes: string[];
}

const PART_OF: Record<string, Part> = { hour: 'hours', weekday: 'weekdays', month: 'months' };

/** The filter of the map for a state and its selection. */
export function filterOf(state: MatrixState, matrix: Matrix | null): MapFilter {
  const { hours, weekdays, months, start, end, categories } = state;
  const filter: MapFilter = { hours, weekdays, months, start, end, categories, bounds: null, isEmpty: false, notes: [] };
  if (!matrix) return filter;
  const { x, y, axes } = matrix;
  apply(filter, x, state.selection.columns, 'columns', isCategory(x, axes));
  apply(filter, y, state.selection.rows, 'rows', isCategory(y, axes));
  if (filter.start !== null && filter.end !== null && filter.start >= filter.end) filter.isEmpty = true;
  return filter;
}

/** Whether the values of an axis are categories. Their column may have another name, which the list of axes does not have. */
const isCategory = ({ axis, keys }: AxisData, axes: string[]) => axis === 'category' || (!axes.includes(axis) && typeof keys[0] === 'string');

function apply(filter: MapFilter, axis: AxisData, chosen: Key[] | null, name: 'columns' | 'rows', isCategory: boolean): void {
  const indices = indicesOf(axis, chosen);
  if (!indices) return;
  const keys = indices.map((index) => axis.keys[index]!);
  const part = PART_OF[axis.axis];
  if (part) {
    const before = filter[part];
    filter[part] = before.length ? before.filter((value) => keys.includes(value)) : keys.map(Number);
    if (!filter[part].length) filter.isEmpty = true;
  } else if (isCategory) filter.categories = keys.map(String);
  else if (axis.axis === 'date' || axis.axis === 'year-month' || axis.axis === 'year') {
    narrow(filter, keys);
    if (runs(indices).length > 1) {
      const { labels } = axis;
      filter.notes.push(`The map shows the whole time from ${labels[indices[0]!]} to ${labels[indices.at(-1)!]}.`);
    }
  } else if ((axis.axis === 'lon' || axis.axis === 'lat') && axis.bins) {
    const edges = indices.flatMap((index) => axis.bins![index]!);
    const [low, high] = [Math.min(...edges), Math.max(...edges)];
    filter.bounds = { ...filter.bounds, ...(axis.axis === 'lon' ? { west: low, east: high } : { south: low, north: high }) };
  } else {
    filter.notes.push(`The map cannot be filtered by ${axis.title}: the selected ${name} apply to the matrix only.`);
  }
}

/** Limits the time range to that from the first to the last of some dates, months such as `2024-03`, or years. */
function narrow(filter: MapFilter, keys: Key[]): void {
  const dateOf = (...[year, month, day = 1]: [number, number, number?]) => {
    const date = new Date(0);
    // `Date.UTC` would read the years 0 to 99 as those of the 20th century.
    date.setUTCFullYear(year, month, day);
    return date.toISOString().slice(0, 10);
  };
  const parts = (key: Key) => String(key).split('-').map(Number) as [number, number?, number?];
  const [first, last] = [keys[0]!, keys.at(-1)!];
  const [firstYear, firstMonth = 1, firstDay] = parts(first);
  const start = dateOf(firstYear, firstMonth - 1, firstDay);
  const [year, month, day] = parts(last);
  const end = month === undefined ? dateOf(year + 1, 0) : day === undefined ? dateOf(year, month) : dateOf(year, month - 1, day + 1);
  // Texts of this form are ordered as their times are.
  if (filter.start === null || filter.start < start) filter.start = start;
  if (filter.end === null || filter.end > end) filter.end = end;
}
