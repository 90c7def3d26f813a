import type { Catalog, HeatStyle, LayerEntry } from './catalog.js';
import { fadesIn } from './catalog.js';

/** All that the page can be told: the address holds it, so that a link shows the same. */
export interface State {
  layer: string;
  zoom: number;
  lat: number;
  lng: number;
  mode: 'tiles' | 'picture';
  scheme: string;
  curve: string;
  normalize: string;
  agg: string;
  /** In pixels; null: as the layer has it, in a unit of the ground. */
  radius: number | null;
  /** In percent. */
  opacity: number;
  /** What the coldest and the hottest color mean; null: what the server finds. */
  span: [number, number] | null;
  /** Categories that are shown; none: all. */
  categories: string[];
  /** Times that are shown, in milliseconds since 1970 UTC; null: all. */
  time: [number, number] | null;
  /** Whether the browser draws the points itself beyond a zoom. */
  handover: boolean;
  beyond: number;
  /** What the picture before shows, as an address holds it; null: nothing is compared. */
  before: string | null;
  /** Where the picture before ends, in percent of the map's width. */
  swipe: number;
}

/** The zoom beyond which the browser draws the points. */
export const BEYOND = 7;
/** Share of an opaque scheme's colors over which the picture fades in. */
const FADE = 0.2;

const SCHEME = 'heat';
/** Most points come in crowds: on a square root the lonely ones are seen beside them. */
const CURVE = 'sqrt';
const RADIUS_PX = 12;

/** How the page draws a layer unless somebody says otherwise: as the layer itself has it. */
export function usual(layer: LayerEntry | undefined): Pick<State, 'scheme' | 'curve' | 'normalize' | 'agg' | 'radius' | 'opacity'> {
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

/** A state that shows a layer as usual. */
export function initial(layer: LayerEntry | undefined): State {
  const place = { zoom: 2, lat: 20, lng: 0 };
  const rest = { mode: 'tiles', span: null, categories: [], time: null, before: null, swipe: 50 } as const;
  return { ...usual(layer), ...place, ...rest, categories: [], layer: layer?.name ?? '', handover: true, beyond: BEYOND };
}

/** How the layer is to be drawn, as its server is asked for it. */
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
  return style;
}

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);
const round = (value: number, digits: number) => Number(value.toFixed(digits));

/** A span or a time as `a..b`. */
function pair(text: string | null, read: (part: string) => number): [number, number] | null {
  const parts = text?.split('..').map(read);
  return parts?.length === 2 && parts.every(Number.isFinite) && parts[0]! < parts[1]! ? [parts[0]!, parts[1]!] : null;
}

/** The state as the part of an address behind `#`. What is as usual is left out. */
export function write(state: State, layer: LayerEntry | undefined): string {
  const before = initial(layer);
  const digits = Math.max(2, Math.ceil(state.zoom / 3)); // fine enough for a pixel
  const at = [state.zoom, round(state.lat, digits), round(state.lng, digits)].join('/');
  const parameters = new URLSearchParams({ layer: state.layer, at });
  const put = (name: keyof State, value: unknown) => {
    if (JSON.stringify(state[name]) !== JSON.stringify(before[name])) parameters.set(name, String(value));
  };
  for (const name of ['mode', 'scheme', 'curve', 'normalize', 'agg', 'radius', 'opacity'] as const) put(name, state[name]);
  put('span', state.span?.join('..'));
  put('time', state.time?.map((time) => new Date(time).toISOString()).join('..'));
  put('categories', JSON.stringify(state.categories));
  put('beyond', state.beyond);
  put('handover', state.handover ? 'on' : 'off');
  put('before', state.before);
  if (state.before !== null) put('swipe', state.swipe);
  return parameters.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
}

/** The state that an address tells, and whether it names a place; what makes no sense is as usual. */
export function read(text: string, catalog: Catalog, layers: LayerEntry[]): { state: State; placed: boolean } {
  const parameters = new URLSearchParams(text);
  const layer = layers.find(({ name }) => name === parameters.get('layer')) ?? layers[0];
  const state = initial(layer);
  const word = (name: string, known: readonly string[]) => {
    const value = parameters.get(name);
    return value !== null && known.includes(value) ? value : null;
  };
  const number = (name: string, least: number, most: number) => {
    const value = parameters.get(name);
    const read = value === null || value === '' ? NaN : Number(value);
    return Number.isFinite(read) ? clamp(read, least, most) : null;
  };
  const schemes = catalog.schemes.flatMap(({ name }) => [name, `${name}_r`]);
  state.scheme = word('scheme', schemes) ?? state.scheme;
  state.mode = word('mode', ['tiles', 'picture']) === 'picture' ? 'picture' : 'tiles';
  state.curve = word('curve', ['linear', 'sqrt', 'log', 'eqhist']) ?? state.curve;
  state.normalize = word('normalize', ['p90', 'p95', 'p99', 'p99.9', 'max']) ?? state.normalize;
  state.agg = word('agg', ['sum', 'count', 'mean', 'max']) ?? state.agg;
  state.radius = number('radius', 1, 100) ?? state.radius;
  state.opacity = number('opacity', 5, 100) ?? state.opacity;
  state.beyond = Math.round(number('beyond', 0, 18) ?? state.beyond);
  state.handover = word('handover', ['on', 'off']) !== 'off';
  state.swipe = number('swipe', 0, 100) ?? state.swipe;
  state.before = parameters.get('before');
  state.span = pair(parameters.get('span'), Number);
  state.time = pair(parameters.get('time'), Date.parse);
  state.categories = categoriesOf(parameters.get('categories'));

  const place = (parameters.get('at') ?? '').split('/').map(Number);
  const placed = place.length === 3 && place.every(Number.isFinite);
  if (placed) {
    const [zoom, lat, lng] = place as [number, number, number];
    Object.assign(state, { zoom: clamp(Math.round(zoom), 1, 18), lat: clamp(lat, -85, 85), lng });
  }
  return { state, placed };
}

function categoriesOf(text: string | null): string[] {
  try {
    const read: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(read) ? read.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}
