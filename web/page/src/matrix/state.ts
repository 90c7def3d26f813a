import type { LayerEntry, Statistics } from '../catalog.js';
import { isPlane } from '../catalog.js';
import { categoriesOf } from '../state.js';
import { NO_PARTS, PARTS, partParameters, textOf, valuesOf, type TimeParts } from '../time-parts.js';
import { browserZone, isZone } from '../zones.js';
import type { Key } from './data.js';
import { NOTHING, type Selection } from './selection.js';

export const AGGREGATIONS = ['count', 'sum', 'mean', 'max'] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

/** The state of the page of a matrix. The URL contains all of it, so that a link shows the same view. */
export interface MatrixState extends TimeParts {
  x: string;
  /** `none`: a single row. */
  y: string;
  agg: Aggregation;
  /** The column of the values. Null: that of the server. */
  value: string | null;
  /** The number of bins of a numeric axis. Null: that of the server. */
  xBins: number | null;
  yBins: number | null;
  /** The IANA time zone of all times. */
  zone: string;
  /** The time range as local dates with times, such as `2024-03-01T12:00`: inclusive start, exclusive end. Null: no limit. */
  start: string | null;
  end: string | null;
  /** The selected categories. Empty: all. */
  categories: string[];
  scheme: string;
  selection: Selection;
  /** Whether only the points in the view of the map are counted. */
  inView: boolean;
  /** Zoom, latitude and longitude of the map. Null: that of the layer. */
  at: [number, number, number] | null;
}

const SCHEME = 'viridis';

/** The axes that a layer has, before the server lists them. */
export function likelyAxes(layer: LayerEntry, { time, categories, bounds }: Statistics): string[] {
  const times = time ? ['hour', 'weekday', 'day', 'week', 'month', 'date', 'year'] : [];
  const positions = !bounds ? [] : isPlane(layer) ? ['x', 'y'] : ['lon', 'lat'];
  return [...times, ...(categories?.names.length ? ['category'] : []), ...positions];
}

/** The initial state of a layer with these axes. */
export function initial(axes: string[]): MatrixState {
  const has = (axis: string) => axes.includes(axis);
  const [x, y] = has('hour') ? ['hour', 'weekday'] : has('category') ? ['category', 'none'] : [axes[0] ?? 'none', axes[1] ?? 'none'];
  return {
    x, y, agg: 'count', value: null, xBins: null, yBins: null, zone: browserZone(), start: null, end: null, ...NO_PARTS,
    categories: [], scheme: SCHEME, selection: NOTHING, inView: false, at: null,
  };
}

/** The query parameters of the matrix. `view` is the view of the map, as west, south, east and north. */
export function queryOf(state: MatrixState, view: string | null): URLSearchParams {
  const { x, y, agg, value, xBins, yBins, zone, start, end, categories } = state;
  const parameters = new URLSearchParams({ x, y, agg });
  if (value !== null && agg !== 'count') parameters.set('value', value);
  if (xBins !== null) parameters.set('x_bins', String(xBins));
  if (yBins !== null) parameters.set('y_bins', String(yBins));
  for (const [name, text] of Object.entries({ ...partParameters(state, zone), tz: zone })) parameters.set(name, text);
  if (start !== null) parameters.set('start', start);
  if (end !== null) parameters.set('end', end);
  if (categories.length) parameters.set('category', JSON.stringify(categories));
  if (view !== null) parameters.set('bbox', view);
  return parameters;
}

/** Serializes the state as the fragment of a URL. Default values are omitted, apart from the time zone, which depends on the browser. */
export function write(state: MatrixState, axes: string[]): string {
  const before = initial(axes);
  const parameters = new URLSearchParams({ x: state.x, y: state.y });
  const names = { agg: 'agg', value: 'value', xBins: 'x_bins', yBins: 'y_bins', start: 'start', end: 'end', scheme: 'scheme' } as const;
  for (const [name, parameter] of Object.entries(names)) {
    const value = state[name as keyof typeof names];
    if (value !== before[name as keyof typeof names]) parameters.set(parameter, String(value));
  }
  parameters.set('zone', state.zone);
  for (const part of PARTS) if (state[part].length) parameters.set(part, textOf(part, state[part]));
  if (state.categories.length) parameters.set('categories', JSON.stringify(state.categories));
  if (state.selection.columns) parameters.set('columns', JSON.stringify(state.selection.columns));
  if (state.selection.rows) parameters.set('rows', JSON.stringify(state.selection.rows));
  if (state.inView) parameters.set('view', 'map');
  if (state.at) parameters.set('at', state.at.join('/'));
  return parameters.toString().replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',');
}

function keysOf(text: string | null): Key[] | null {
  try {
    const read: unknown = JSON.parse(text ?? 'null');
    const isKey = (key: unknown) => typeof key === 'string' || typeof key === 'number';
    return Array.isArray(read) && read.length && read.every(isKey) ? (read as Key[]) : null;
  } catch {
    return null;
  }
}

const isLocalTime = (text: string | null) => text !== null && /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?$/.test(text) && !Number.isNaN(Date.parse(text));

/** Parses the fragment of a URL. Invalid values are replaced by defaults; unknown axes and columns are reported by the server. */
export function read(text: string, axes: string[], schemes: string[]): MatrixState {
  const parameters = new URLSearchParams(text);
  const state = initial(axes);
  const bins = (name: string) => {
    const count = Number(parameters.get(name) || NaN);
    return Number.isInteger(count) && count > 0 ? Math.min(count, 1000) : null;
  };
  state.x = parameters.get('x') || state.x;
  state.y = parameters.get('y') || state.y;
  state.agg = AGGREGATIONS.find((agg) => agg === parameters.get('agg')) ?? state.agg;
  state.value = parameters.get('value') || null;
  [state.xBins, state.yBins] = [bins('x_bins'), bins('y_bins')];
  const zone = parameters.get('zone');
  if (zone && isZone(zone)) state.zone = zone;
  for (const limit of ['start', 'end'] as const) if (isLocalTime(parameters.get(limit))) state[limit] = parameters.get(limit);
  for (const part of PARTS) state[part] = valuesOf(part, parameters.get(part));
  state.categories = categoriesOf(parameters.get('categories'));
  const scheme = parameters.get('scheme');
  if (scheme !== null && schemes.includes(scheme)) state.scheme = scheme;
  state.selection = { columns: keysOf(parameters.get('columns')), rows: keysOf(parameters.get('rows')) };
  state.inView = parameters.get('view') === 'map';
  const at = (parameters.get('at') ?? '').split('/').map(Number);
  if (at.length === 3 && at.every(Number.isFinite)) {
    const [zoom, lat, lng] = at as [number, number, number];
    state.at = [Math.min(Math.max(Math.round(zoom), 1), 18), Math.min(Math.max(lat, -85), 85), lng];
  }
  return state;
}
