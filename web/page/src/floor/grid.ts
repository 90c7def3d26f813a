import { fetchJson } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { partParameters } from '../time-parts.js';
import type { FloorState } from './state.js';
import type { Profile } from './profile.js';

/** A cell with a value. */
export interface Cell {
  column: number;
  row: number;
  value: number;
}

/** Cells by `column,row`, and the columns and rows that they cover, inclusive. */
export interface Cells {
  values: Map<string, Cell>;
  frame: { side: number; columns: [number, number]; rows: [number, number] };
}

/** A room and the sum of its cells or points. */
export interface Room {
  name: string;
  value: number;
  /** In m². */
  area: number;
}

/** The detections of a window of time. */
export interface Grid {
  cells: Cells;
  total: number;
  /** Null if the layer has no rooms. */
  rooms: Room[] | null;
  /** The sum outside of all rooms. */
  outside: number;
  profile: Profile | null;
}

/** The response of `/{layer}/grid` as JSON. */
interface GridReply {
  /** Center x, center y, value. */
  array_cells: [number, number, number][];
  metadata: { total_detections: number };
  rooms?: { name: string; value: number; area_m2: number }[];
  outside?: { value: number };
  profile?: { values: (number | null)[] };
}

/** The query parameters of a grid. */
export function gridParameters(state: FloorState, window: [number, number] | null): URLSearchParams {
  const { cell, space, zone } = state;
  const parameters = new URLSearchParams({ resolution: String(cell), ...partParameters(state, zone) });
  if (space) parameters.set('category', JSON.stringify([space]));
  if (window) {
    parameters.set('start', new Date(window[0]).toISOString());
    parameters.set('end', new Date(window[1]).toISOString());
  }
  return parameters;
}

/** Requests the grid of a window of time, with the sums of rooms and the profile of the hours of the week. */
export async function fetchGrid(state: FloorState, window: [number, number] | null, hasRooms: boolean, hasTimes: boolean, signal: AbortSignal): Promise<Grid> {
  const parameters = gridParameters(state, window);
  parameters.set('format', 'json');
  parameters.set('omit_empty', 'true');
  if (hasRooms) parameters.set('rooms', 'true');
  if (hasTimes) {
    parameters.set('profile', 'hour_of_week');
    parameters.set('tz', state.zone);
  }
  const reply = await fetchJson<GridReply>(`${BASE}/${state.layer}/grid?${parameters}`, { signal });
  return {
    cells: cellsOf(reply.array_cells, state.cell),
    total: reply.metadata.total_detections,
    rooms: reply.rooms?.map(({ name, value, area_m2: area }) => ({ name, value, area })) ?? null,
    outside: reply.outside?.value ?? 0,
    profile: reply.profile?.values.map((value) => value ?? 0) ?? null,
  };
}

/** Cells by the positions of their centers. */
function cellsOf(centers: [number, number, number][], side: number): Cells {
  const cells = emptyCells(side);
  for (const [x, y, value] of centers) if (value) put(cells, { column: Math.round(x / side - 0.5), row: Math.round(y / side - 0.5), value });
  return cells;
}

function emptyCells(side: number): Cells {
  return { values: new Map(), frame: { side, columns: [Infinity, -Infinity], rows: [Infinity, -Infinity] } };
}

function put({ values, frame: { columns, rows } }: Cells, cell: Cell): void {
  values.set(`${cell.column},${cell.row}`, cell);
  [columns[0], columns[1]] = [Math.min(columns[0], cell.column), Math.max(columns[1], cell.column)];
  [rows[0], rows[1]] = [Math.min(rows[0], cell.row), Math.max(rows[1], cell.row)];
}

/** The cells of `after` minus those of `before`. */
export function differenceOf(before: Cells, after: Cells): Cells {
  const cells = emptyCells(after.frame.side);
  for (const [key, { column, row, value }] of after.values) put(cells, { column, row, value: value - (before.values.get(key)?.value ?? 0) });
  for (const [key, cell] of before.values) if (!after.values.has(key)) put(cells, { ...cell, value: -cell.value });
  return cells;
}

/** The cell that contains a point. Cells are half-open: west and south edges belong to a cell. */
export function cellAt({ values, frame: { side } }: Cells, x: number, y: number): Cell | undefined {
  return values.get(`${Math.floor(x / side)},${Math.floor(y / side)}`);
}
