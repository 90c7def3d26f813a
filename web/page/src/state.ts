import type { Catalog, HeatStyle, LayerEntry } from './catalog.js';
import { bucketOf, fadesIn } from './catalog.js';
import { DAY, limitedTime, wholeBuckets } from './time/frames.js';
import { parseRing, ringText, type Ring } from './area/ring.js';
import { hasParts, NO_PARTS, partParameters, PARTS, textOf, valuesOf, type TimeParts } from './time-parts.js';
import { browserZone, isZone } from './zones.js';

/** The state of the page. The URL contains all of it, so that a link shows the same view. */
export interface State extends TimeParts {
  layer: string;
  zoom: number;
  lat: number;
  lng: number;
  mode: 'tiles' | 'picture';
  scheme: string;
  curve: string;
  normalize: string;
  agg: string;
  /** In pixels. Null: the layer's own radius, in meters or kilometers. */
  radius: number | null;
  /** In percent. */
  opacity: number;
  /** Minimum and maximum of the color scale. Null: computed by the server. */
  span: [number, number] | null;
  /** The selected categories. Empty: all. */
  categories: string[];
  /** The selected time range, in milliseconds since 1970 UTC. Null: all. */
  time: [number, number] | null;
  /** The IANA time zone of hours, days of the week and months. */
  zone: string;
  /** Whether the browser draws the points at zooms greater than `beyond`. */
  handover: boolean;
  beyond: number;
  /** Whether coasts, borders and names are above the heat map. */
  names: boolean;
  /** The area whose statistics are shown. Null: none. */
  area: Ring | null;
  /** The earlier view of a comparison, as in a URL. Null: no comparison. */
  before: string | null;
  /** Position of the divider, in percent of the map's width. */
  swipe: number;
}

/** Default of `beyond`. */
const BEYOND = 7;
/** Fraction of an opaque scheme's colors over which the picture fades in. */
const FADE = 0.2;

const SCHEME = 'heat';
/** Most data is clustered. A square root scale keeps single points visible. */
const CURVE = 'sqrt';
const RADIUS_PX = 12;

/** The default style of a layer: its own style, completed by that of the page. */
export function defaultStyle(layer: LayerEntry | undefined): Pick<State, 'scheme' | 'curve' | 'normalize' | 'agg' | 'radius' | 'opacity'> {
  const own = layer?.style ?? {};
  const pixels = /^([0-9.]+)(px)?$/.exec(own['radius'] ?? `${RADIUS_PX}`);
  const opacity = Number(own['opacity'] ?? 0.8);
  return {
    scheme: own['scheme'] ?? SCHEME,
    curve: own['curve'] ?? CURVE,
    normalize: own['normalize'] ?? 'p99',
    agg: own['agg'] ?? 'sum',
    radius: pixels ? Number(pixels[1]) : null,
    opacity: Number.isFinite(opacity) ? Math.round(100 * opacity) : 80,
  };
}

/** The initial state of a layer. */
export function initial(layer: LayerEntry | undefined, { page }: Catalog): State {
  const place = { zoom: 2, lat: 20, lng: 0 };
  const configured = page?.draw_points_beyond ?? null;
  const handOver = { handover: configured !== null, beyond: configured ?? BEYOND };
  const rest = { mode: 'tiles', span: null, time: null, zone: browserZone(), names: true, area: null, before: null, swipe: 50 } as const;
  return { ...defaultStyle(layer), ...place, ...rest, ...NO_PARTS, categories: [], layer: layer?.name ?? '', ...handOver };
}

/** The style parameters of requests to the server. */
export function styleOf(state: State, catalog: Catalog): HeatStyle {
  const own = catalog.layers.find(({ name }) => name === state.layer)?.style ?? {};
  const style: HeatStyle = { scheme: state.scheme, curve: state.curve, opacity: state.opacity / 100 };
  if (state.radius !== null) style.radius = state.radius;
  if (!fadesIn(catalog, state.scheme)) style.transparent_low = FADE;
  if (state.normalize !== (own['normalize'] ?? 'p99')) style.normalize = state.normalize;
  if (state.agg !== (own['agg'] ?? 'sum')) style.agg = state.agg;
  if (state.span) [style.vmin, style.vmax] = state.span;
  if (state.categories.length) style.category = state.categories;
  if (state.time) [style.start, style.end] = [new Date(state.time[0]), new Date(state.time[1])];
  return Object.assign(style, partParameters(state, state.zone));
}

const clamp = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max);
const round = (value: number, digits: number) => Number(value.toFixed(digits));

/** Parses a range `a..b`. */
function pair(text: string | null, read: (part: string) => number): [number, number] | null {
  const parts = text?.split('..').map(read);
  return parts?.length === 2 && parts.every(Number.isFinite) && parts[0]! < parts[1]! ? [parts[0]!, parts[1]!] : null;
}

/** Serializes the state as the fragment of a URL. Default values are omitted. */
export function write(state: State, layer: LayerEntry | undefined, catalog: Catalog): string {
  const before = initial(layer, catalog);
  const digits = Math.max(2, Math.ceil(state.zoom / 3)); // fine enough for a pixel
  const at = [state.zoom, round(state.lat, digits), round(state.lng, digits)].join('/');
  const parameters = new URLSearchParams({ layer: state.layer, at });
  const put = (name: keyof State, value: unknown) => {
    if (JSON.stringify(state[name]) !== JSON.stringify(before[name])) parameters.set(name, String(value));
  };
  for (const name of ['mode', 'scheme', 'curve', 'normalize', 'agg', 'radius', 'opacity'] as const) put(name, state[name]);
  put('span', state.span?.join('..'));
  put('time', state.time?.map((time) => new Date(time).toISOString()).join('..'));
  for (const part of PARTS) put(part, textOf(part, state[part]));
  // It depends on the browser.
  if (hasParts(state)) parameters.set('zone', state.zone);
  put('categories', JSON.stringify(state.categories));
  put('beyond', state.beyond);
  put('handover', state.handover ? 'on' : 'off');
  put('names', state.names ? 'on' : 'off');
  if (state.area) parameters.set('area', ringText(state.area));
  put('before', state.before);
  if (state.before !== null) put('swipe', state.swipe);
  return parameters.toString().replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%3B', ';');
}

/** Parses the fragment of a URL. Returns the state, and whether the fragment has a map position. Invalid values are replaced by defaults. */
export function read(text: string, catalog: Catalog, layers: LayerEntry[]): { state: State; placed: boolean } {
  const parameters = new URLSearchParams(text);
  const layer = layers.find(({ name }) => name === parameters.get('layer')) ?? layers[0];
  const state = initial(layer, catalog);
  const choice = (name: string, known: readonly string[]) => {
    const value = parameters.get(name);
    return value !== null && known.includes(value) ? value : null;
  };
  const number = (name: string, min: number, max: number) => {
    const value = parameters.get(name);
    const read = value === null || value === '' ? NaN : Number(value);
    return Number.isFinite(read) ? clamp(read, min, max) : null;
  };
  const schemes = catalog.schemes.flatMap(({ name }) => [name, `${name}_r`]);
  state.scheme = choice('scheme', schemes) ?? state.scheme;
  state.mode = choice('mode', ['tiles', 'picture']) === 'picture' ? 'picture' : 'tiles';
  state.curve = choice('curve', ['linear', 'sqrt', 'log', 'eqhist']) ?? state.curve;
  state.normalize = choice('normalize', ['p90', 'p95', 'p99', 'p99.9', 'max']) ?? state.normalize;
  state.agg = choice('agg', ['sum', 'count', 'mean', 'max']) ?? state.agg;
  state.radius = number('radius', 1, 100) ?? state.radius;
  state.opacity = number('opacity', 5, 100) ?? state.opacity;
  state.beyond = Math.round(number('beyond', 0, 18) ?? state.beyond);
  state.handover = (choice('handover', ['on', 'off']) ?? (state.handover ? 'on' : 'off')) === 'on';
  state.names = choice('names', ['on', 'off']) !== 'off';
  state.area = parseRing(parameters.get('area'));
  state.swipe = number('swipe', 0, 100) ?? state.swipe;
  state.before = parameters.get('before');
  state.span = pair(parameters.get('span'), Number);
  state.time = pair(parameters.get('time'), (time) => limitedTime(Date.parse(time)));
  // The parts of a bucket of time are not known.
  const bucket = bucketOf(layer);
  if (state.time) state.time = wholeBuckets(state.time, bucket);
  for (const part of PARTS) state[part] = part === 'hours' && bucket >= DAY ? [] : valuesOf(part, parameters.get(part));
  const zone = parameters.get('zone') ?? parameters.get('tz');
  if (zone && isZone(zone)) state.zone = zone;
  state.categories = categoriesOf(parameters.get('categories') ?? parameters.get('category'));

  const place = (parameters.get('at') ?? '').split('/').map(Number);
  const placed = place.length === 3 && place.every(Number.isFinite);
  if (placed) {
    const [zoom, lat, lng] = place as [number, number, number];
    Object.assign(state, { zoom: clamp(Math.round(zoom), 1, 18), lat: clamp(lat, -85, 85), lng });
  }
  return { state, placed };
}

/** Parses a list of categories: an array in JSON, or names separated by commas. */
export function categoriesOf(text: string | null): string[] {
  if (!text?.startsWith('[')) return text?.split(',').map((name) => name.trim()).filter(Boolean) ?? [];
  try {
    const read: unknown = JSON.parse(text);
    return Array.isArray(read) ? read.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}
