import type { LayerEntry, Statistics } from '../catalog.js';
import { isPlane } from '../catalog.js';
import { categoriesOf } from '../state.js';
import { NO_PARTS, PARTS, parseValues, partParameters, textOf, type TimeParts } from '../time-parts.js';
import { browserZone, isZone, localTimeOf } from '../zones.js';
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
  const times = time ? ['hour', 'weekday', 'day', 'week', 'month', 'year-month', 'date', 'year'] : [];
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

function keysOf(text: string): Key[] | null {
  try {
    const read: unknown = JSON.parse(text);
    const isKey = (key: unknown) => typeof key === 'string' || typeof key === 'number';
    return Array.isArray(read) && read.length && read.every(isKey) ? (read as Key[]) : null;
  } catch {
    return null;
  }
}

/** Names of the API, which are accepted in place of those of the page. */
const ALIASES: Record<string, string> = { tz: 'zone', category: 'categories' };
const NAMES = ['x', 'y', 'agg', 'value', 'x_bins', 'y_bins', 'start', 'end', 'scheme', 'zone', ...PARTS, 'categories', 'columns', 'rows', 'view', 'at'];

/**
 * Parses the fragment of a URL. Invalid and unknown parameters are replaced by defaults, and listed in `ignored` as `name=value`; unknown axes and columns are reported by
 * the server.
 */
export function read(text: string, axes: string[], schemes: string[]): { state: MatrixState; ignored: string[] } {
  const given = new Map([...new URLSearchParams(text)].map(([name, value]) => [ALIASES[name] ?? name, { name, value }]));
  const state = initial(axes);
  const ignored: string[] = [];
  const ignore = (name: string) => {
    const { name: as, value } = given.get(name)!;
    ignored.push(`${as}=${value}`);
  };
  /** Parses a parameter, if the fragment has it. */
  const parse = <T>(name: string, read: (value: string) => T | null, apply: (value: T) => void) => {
    const value = given.get(name)?.value;
    if (!value) return;
    const parsed = read(value);
    if (parsed === null) ignore(name);
    else apply(parsed);
  };
  const bins = (value: string) => (Number.isInteger(Number(value)) && Number(value) > 0 ? Math.min(Number(value), 1000) : null);
  const position = (value: string): [number, number, number] | null => {
    const [zoom = NaN, lat = NaN, lng = NaN, ...others] = value.split('/').map(Number);
    const isPosition = !others.length && [zoom, lat, lng].every(Number.isFinite);
    return isPosition ? [Math.min(Math.max(Math.round(zoom), 1), 18), Math.min(Math.max(lat, -85), 85), lng] : null;
  };
  const names = (value: string) => {
    const found = categoriesOf(value);
    return found.length || value === '[]' ? found : null;
  };
  parse('x', String, (x) => (state.x = x));
  parse('y', String, (y) => (state.y = y));
  parse('agg', (value) => AGGREGATIONS.find((agg) => agg === value) ?? null, (agg) => (state.agg = agg));
  parse('value', String, (value) => (state.value = value));
  parse('x_bins', bins, (count) => (state.xBins = count));
  parse('y_bins', bins, (count) => (state.yBins = count));
  // Times with an offset become local times of the zone.
  parse('zone', (zone) => (isZone(zone) ? zone : null), (zone) => (state.zone = zone));
  for (const limit of ['start', 'end'] as const) parse(limit, (value) => localTimeOf(value, state.zone), (time) => (state[limit] = time));
  for (const part of PARTS) parse(part, (value) => parseValues(part, value), (values) => (state[part] = values));
  parse('categories', names, (categories) => (state.categories = categories));
  parse('scheme', (value) => (schemes.includes(value) ? value : null), (scheme) => (state.scheme = scheme));
  for (const name of ['columns', 'rows'] as const) parse(name, keysOf, (keys) => (state.selection = { ...state.selection, [name]: keys }));
  parse('view', (value) => (value === 'map' ? true : null), (inView) => (state.inView = inView));
  parse('at', position, (at) => (state.at = at));
  for (const name of given.keys()) if (!NAMES.includes(name)) ignore(name);
  return { state, ignored };
}
