import { resend, type Wait } from './rate-limit.js';
import { parametersOf, type HeatStyle } from './style.js';

/** A problem that the server reports (RFC 9457), or a failed connection. */
export class KilnError extends Error {
  constructor(
    /** The detail of the problem. */
    message: string,
    /** The HTTP status; 0 without a response. */
    readonly status = 0,
  ) {
    super(message);
    this.name = 'KilnError';
  }
}

/** The TileJSON 3.0.0 document of a layer. */
export interface TileJson {
  name: string;
  attribution?: string;
  /** The URL template of the tiles. */
  tiles: [string];
  minzoom: number;
  maxzoom: number;
  /** West, south, east, north. */
  bounds: [number, number, number, number];
  /** Longitude, latitude, zoom. */
  center: [number, number, number];
  kiln: { points: number; weighted: boolean; version: string; bounds: [[number, number], [number, number]] };
}

/** The legend of a layer. */
export interface Legend {
  title: string;
  /** The values of the coldest and the hottest color. */
  span: { vmin: number; vmax: number; unit: string; curve: string } | null;
  ticks: { position: number; value: number; label: string }[];
  /** Colors from cold to hot, evenly spread. */
  colors: string[];
}

/** The value at a location. */
export interface Value {
  value: number | null;
  unit: string;
  /** Percentage of the pixels at this zoom with this value or a lower one. */
  percentile: number | null;
  /** Number of points within the radius. */
  points: number;
  radius_px: number;
  radius_m: number;
  /** The most frequent categories of these points. Absent if the layer has no categories. */
  categories?: { name: string; points: number }[] | null;
  z: number;
  lon: number;
  lat: number;
}

/** A URL of the server. `base` is its base URL, such as `https://heat.example/` or `.`. */
export function urlOf(base: string, path: string, parameters?: URLSearchParams): string {
  const text = parameters?.toString();
  return `${base.replace(/\/+$/, '')}/${path}${text ? `?${text}` : ''}`;
}

let headersOf: (url: string) => Record<string, string> = () => ({});
let refused: (url: string, error: KilnError) => void = () => undefined;
let waits: ((wait?: Wait) => void) | null = null;

/**
 * Sets the headers that requests to a URL send, such as `Authorization` with a key. Tiles with headers are loaded by `fetch`.
 * `unauthorized` is called for each response with the status 401. With `limited`, requests that exceed a rate (429) wait and are sent
 * again; it is called for each wait, and without one when no request waits any more.
 */
export function sendHeaders(
  headers: (url: string) => Record<string, string>,
  unauthorized: (url: string, error: KilnError) => void,
  limited: ((wait?: Wait) => void) | null = null,
): void {
  waits = limited;
  headersOf = headers;
  refused = unauthorized;
}

/** Whether requests to a URL send headers, which images cannot. */
export const hasHeaders = (url: string) => Object.keys(headersOf(url)).length > 0;

/** Sends a request and returns the response. Throws a {@link KilnError} for a problem or a failed connection. */
export async function request(url: string, init?: RequestInit): Promise<Response> {
  const headers = new Headers({ ...headersOf(url) });
  new Headers(init?.headers).forEach((value, name) => headers.set(name, value));
  const send = () =>
    fetch(url, { ...init, headers }).catch((error: unknown) => {
      throw (error as Error).name === 'AbortError' ? error : new KilnError('The server cannot be reached.');
    });
  let response = await send();
  if (response.status === 429 && waits) response = await resend(response, send, init?.signal ?? null, waits);
  if (response.ok) return response;
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
  const problem = (isProblem ? await response.json() : {}) as { title?: string; detail?: string };
  const title = problem.title ?? `The server returned status ${response.status} ${response.statusText}`.trim();
  const error = new KilnError(problem.detail ?? title, response.status);
  if (error.status === 401) refused(url, error);
  throw error;
}

/** Sends a request and returns the JSON of the response. */
export async function fetchJson<T>(url: string, init?: RequestInit): Promise<T> {
  return (await request(url, init)).json() as Promise<T>;
}

/** Adds parameters, such as `key=SECRET` or the query string of a signed URL, for requests that cannot send headers, such as those of images. */
function withAccess(parameters: URLSearchParams, access: string): URLSearchParams {
  new URLSearchParams(access).forEach((value, name) => parameters.set(name, value));
  return parameters;
}

/** Returns the TileJSON of a layer, with the tile URL based on `base`, not on the URL that the server reports. */
export async function tileJson(base: string, layer: string, style: HeatStyle, signal?: AbortSignal, access = ''): Promise<TileJson> {
  const metadata = await fetchJson<TileJson>(urlOf(base, layer, withAccess(parametersOf(style), access)), { signal: signal ?? null });
  const tiles = metadata.tiles[0];
  const path = tiles.slice(tiles.lastIndexOf(`/${layer}/{z}/`) + 1);
  const [file, query] = path.split('?');
  const parameters = new URLSearchParams(query);
  new URLSearchParams(access).forEach((value, name) => parameters.has(name) || parameters.set(name, value));
  return { ...metadata, tiles: [urlOf(base, file!, parameters)] };
}

/** Returns the legend of the tiles at a zoom. */
export function legendOf(base: string, layer: string, style: HeatStyle, zoom: number, signal?: AbortSignal, access = ''): Promise<Legend> {
  const parameters = withAccess(parametersOf(style), access);
  parameters.set('zoom', String(zoom));
  return fetchJson(urlOf(base, `${layer}/legend.json`, parameters), { signal: signal ?? null });
}

/** Returns the value of the tiles at a zoom and a location, with the `categories` most frequent categories around it. */
export function valueAt(
  base: string,
  layer: string,
  style: HeatStyle,
  location: { lat: number; lng: number },
  zoom: number,
  signal?: AbortSignal,
  categories = 0,
  access = '',
): Promise<Value> {
  const parameters = withAccess(parametersOf(style), access);
  parameters.set('z', String(zoom));
  if (categories) parameters.set('categories', String(categories));
  const lng = location.lng - 360 * Math.floor((location.lng + 180) / 360);
  const path = `${layer}/point/${Number(lng.toFixed(7))},${Number(location.lat.toFixed(7))}`;
  return fetchJson(urlOf(base, path, parameters), { signal: signal ?? null });
}

/** A point to add to a layer. */
export interface NewPoint {
  lat: number;
  lng: number;
  /** Default: 1. */
  weight?: number;
  time?: Date | string | number;
  category?: string;
}

/** The numbers of points that a server has added and rejected. */
export interface AddedPoints {
  accepted: number;
  rejected: number;
}

/** Adds points to a layer, which is created if it is missing. All of them are added, or none. `token` is that of writes: no page that visitors see should have it. */
export function addPoints(base: string, layer: string, points: readonly NewPoint[], token = ''): Promise<AddedPoints> {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) };
  return fetchJson(urlOf(base, `${layer}/points`), { method: 'POST', headers, body: JSON.stringify(points) });
}
