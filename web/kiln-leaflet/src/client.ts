import { parametersOf, type HeatStyle } from './style.js';

/** A problem as the server tells it (RFC 9457), or that it cannot be reached. */
export class KilnError extends Error {
  constructor(
    /** What is wrong. */
    message: string,
    /** The status of the answer; 0 if there was none. */
    readonly status = 0,
  ) {
    super(message);
    this.name = 'KilnError';
  }
}

/** A layer's tiles, as TileJSON 3.0.0 tells of them. */
export interface TileJson {
  name: string;
  attribution?: string;
  /** The address of the tiles. */
  tiles: [string];
  minzoom: number;
  maxzoom: number;
  /** West, south, east, north. */
  bounds: [number, number, number, number];
  /** Longitude, latitude, zoom. */
  center: [number, number, number];
  kiln: { points: number; weighted: boolean; version: string; bounds: [[number, number], [number, number]] };
}

/** What the colors mean. */
export interface Legend {
  title: string;
  /** The values of the coldest and the hottest color. */
  span: { vmin: number; vmax: number; unit: string; curve: string } | null;
  ticks: { position: number; value: number; label: string }[];
  /** Colors from cold to hot, evenly spread. */
  colors: string[];
}

/** The value at a place. */
export interface Value {
  value: number | null;
  unit: string;
  /** How many percent of the map at this zoom stay at or below it. */
  percentile: number | null;
  /** How many points lie within the radius. */
  points: number;
  radius_px: number;
  radius_m: number;
  /** The most frequent categories of these points; none where the layer has no categories. */
  categories?: { name: string; points: number }[] | null;
  z: number;
  lon: number;
  lat: number;
}

/** An address of the server: `base` is where it is reached, such as `https://heat.example/` or `.`. */
export function addressOf(base: string, path: string, parameters?: URLSearchParams): string {
  const text = parameters?.toString();
  return `${base.replace(/\/+$/, '')}/${path}${text ? `?${text}` : ''}`;
}

/** The answer of the server. */
export async function request(address: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(address, init).catch((error: unknown) => {
    throw (error as Error).name === 'AbortError' ? error : new KilnError('The server cannot be reached.');
  });
  if (answer.ok) return answer;
  const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json');
  const problem = (isProblem ? await answer.json() : {}) as { title?: string; detail?: string };
  const title = problem.title ?? `The server answered ${answer.status} ${answer.statusText}`.trim();
  throw new KilnError(problem.detail ?? title, answer.status);
}

/** The answer of the server as JSON. */
export async function ask<T>(address: string, init?: RequestInit): Promise<T> {
  return (await request(address, init)).json() as Promise<T>;
}

/** What a map has to know of a layer's tiles. Their address begins with `base`, however the server calls itself. */
export async function tileJson(base: string, layer: string, style: HeatStyle, signal?: AbortSignal): Promise<TileJson> {
  const told = await ask<TileJson>(addressOf(base, layer, parametersOf(style)), { signal: signal ?? null });
  const tiles = told.tiles[0];
  const path = tiles.slice(tiles.lastIndexOf(`/${layer}/{z}/`) + 1);
  return { ...told, tiles: [addressOf(base, path)] };
}

/** What the colors of the tiles of a zoom mean. */
export function legendOf(base: string, layer: string, style: HeatStyle, zoom: number, signal?: AbortSignal): Promise<Legend> {
  const parameters = parametersOf(style);
  parameters.set('zoom', String(zoom));
  return ask(addressOf(base, `${layer}/legend.json`, parameters), { signal: signal ?? null });
}

/** The value of a tile of a zoom at a place, with so many of the most frequent categories around. */
export function valueAt(
  base: string,
  layer: string,
  style: HeatStyle,
  place: { lat: number; lng: number },
  zoom: number,
  signal?: AbortSignal,
  categories = 0,
): Promise<Value> {
  const parameters = parametersOf(style);
  parameters.set('z', String(zoom));
  if (categories) parameters.set('categories', String(categories));
  const lng = place.lng - 360 * Math.floor((place.lng + 180) / 360);
  const path = `${layer}/point/${Number(lng.toFixed(7))},${Number(place.lat.toFixed(7))}`;
  return ask(addressOf(base, path, parameters), { signal: signal ?? null });
}
