import type { LayerEntry } from '../catalog.js';
import { NO_PARTS, PARTS, textOf, valuesOf, type TimeParts } from '../time-parts.js';
import { browserZone, isZone } from '../zones.js';

/** How a floor is drawn. */
export const VIEWS = ['cells', 'heat', 'contours'] as const;
export type View = (typeof VIEWS)[number];

export const CURVES = ['linear', 'sqrt', 'log'] as const;
export type Curve = (typeof CURVES)[number];

/** Sides of cells in meters that the page offers. */
export const CELL_SIDES_M = [0.25, 0.5, 1, 2, 4, 8];
/** The maximum number of cells along the longer side of a floor by default. */
const DEFAULT_CELLS = 120;
const MAX_ZOOM = 8;
const MIN_ZOOM = -12;

/** The state of the page of a plane layer. The URL contains all of it, so that a link shows the same view. */
export interface FloorState extends TimeParts {
  layer: string;
  /** At zoom z, a meter is 2^z pixels. */
  zoom: number;
  /** The center of the map, in meters. */
  x: number;
  y: number;
  /** The space: a category of the layer. Null: all. Undefined: not chosen, before the spaces are known. */
  space: string | null | undefined;
  view: View;
  /** The side of a cell, in meters. */
  cell: number;
  scheme: string;
  curve: Curve;
  /** In percent. */
  opacity: number;
  /** The radius of a dot of the heat map, in meters. */
  radius: number;
  /** The selected time range, in milliseconds since 1970 UTC. Null: all. */
  time: [number, number] | null;
  /** The ids of two weeks to compare. Null: no comparison. */
  weeks: [string, string] | null;
  /** The IANA time zone of weeks and hours. */
  zone: string;
}

/** A radius in meters from a style, such as `1m` or `0.5`. */
function metersOf(radius: string | undefined): number | null {
  const found = /^([0-9.]+)m$/.exec(radius ?? '');
  return found ? Number(found[1]) : null;
}

/** The width of a layer, in meters: the longer side of its bounds. */
export function sideOf({ bounds: [[south, west], [north, east]] }: LayerEntry): number {
  return Math.max(east - west, north - south, 1e-3);
}

/** The initial state of a layer. */
export function initial(layer: LayerEntry): FloorState {
  const { style } = layer;
  const side = sideOf(layer);
  const opacity = Math.round(100 * Number(style['opacity'] ?? 0.85));
  return {
    layer: layer.name,
    zoom: 0,
    x: 0,
    y: 0,
    space: undefined,
    view: 'cells',
    cell: CELL_SIDES_M.find((cell) => cell >= 0.5 && side / cell <= DEFAULT_CELLS) ?? Number((side / DEFAULT_CELLS).toPrecision(1)),
    scheme: style['scheme'] ?? 'heat',
    curve: CURVES.find((curve) => curve === style['curve']) ?? 'sqrt',
    opacity: Number.isFinite(opacity) ? opacity : 85,
    radius: metersOf(style['radius']) ?? Number(Math.max(side / 50, 0.1).toPrecision(1)),
    time: null,
    ...NO_PARTS,
    weeks: null,
    zone: browserZone(),
  };
}

/** Serializes the state as the fragment of a URL. Default values are omitted, apart from the time zone, which depends on the browser. */
export function write(state: FloorState, layer: LayerEntry): string {
  const start = initial(layer);
  const digits = Math.max(0, Math.ceil(state.zoom / 3) + 1);
  const at = [state.zoom, Number(state.x.toFixed(digits)), Number(state.y.toFixed(digits))].join('/');
  const parameters = new URLSearchParams({ layer: state.layer, at });
  if (state.space !== undefined) parameters.set('space', state.space ?? '');
  for (const name of ['view', 'cell', 'scheme', 'curve', 'opacity', 'radius'] as const) {
    if (state[name] !== start[name]) parameters.set(name, String(state[name]));
  }
  if (state.time) parameters.set('time', state.time.map((time) => new Date(time).toISOString()).join('..'));
  for (const part of PARTS) if (state[part].length) parameters.set(part, textOf(part, state[part]));
  if (state.weeks) parameters.set('weeks', state.weeks.join('..'));
  parameters.set('zone', state.zone);
  return parameters.toString().replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',');
}

/** Parses the fragment of a URL. Returns the state, and whether the fragment has a map position. Invalid values are replaced by defaults. */
export function read(text: string, layer: LayerEntry, schemes: string[]): { state: FloorState; placed: boolean } {
  const parameters = new URLSearchParams(text);
  const state = initial(layer);
  const choice = <T extends string>(name: string, known: readonly T[]) => known.find((value) => value === parameters.get(name));
  const number = (name: string, min: number, max: number) => {
    const value = Number(parameters.get(name) || NaN);
    return Number.isFinite(value) ? Math.min(Math.max(value, min), max) : undefined;
  };
  if (parameters.has('space')) state.space = parameters.get('space') || null;
  state.view = choice('view', VIEWS) ?? state.view;
  state.scheme = choice('scheme', schemes) ?? state.scheme;
  state.curve = choice('curve', CURVES) ?? state.curve;
  state.cell = number('cell', 0.01, 1e6) ?? state.cell;
  state.opacity = number('opacity', 5, 100) ?? state.opacity;
  state.radius = number('radius', 0.01, 1e6) ?? state.radius;
  const times = parameters.get('time')?.split('..').map(Date.parse) ?? [];
  if (times.length === 2 && times[0]! < times[1]!) state.time = [times[0]!, times[1]!];
  for (const part of PARTS) state[part] = valuesOf(part, parameters.get(part));
  const weeks = parameters.get('weeks')?.split('..') ?? [];
  if (weeks.length === 2 && weeks.every((week) => /^\d{4}-W\d\d$/.test(week))) state.weeks = [weeks[0]!, weeks[1]!];
  const zone = parameters.get('zone');
  if (zone && isZone(zone)) state.zone = zone;
  const place = (parameters.get('at') ?? '').split('/').map(Number);
  const placed = place.length === 3 && place.every(Number.isFinite);
  if (placed) Object.assign(state, { zoom: Math.min(Math.max(place[0]!, MIN_ZOOM), MAX_ZOOM), x: place[1], y: place[2] });
  return { state, placed };
}

export { MAX_ZOOM, MIN_ZOOM };
