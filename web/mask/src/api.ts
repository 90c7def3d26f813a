/** A mask, as `GET /masks/{id}` describes it. */
export interface Mask {
  /** Of the picture, in pixels. */
  width: number;
  height: number;
  rows: number;
  columns: number;
  /** Cells without data. */
  missing: number;
  /** The least and the greatest finite value. */
  minimum: number | null;
  maximum: number | null;
  /** Parameters of the style that are set. */
  style: Record<string, string>;
  urls: { background: string | null };
  /** In Unix seconds. */
  expires_at: number;
  remarks: string[];
}

export interface Legend {
  colormap: string;
  vmin: number;
  vmax: number;
  ticks: { position: number; label: string }[];
  /** From low to high, as `#rrggbbaa`. */
  colors: string[];
}

/** A cell. Its value is null for no data, and a text where it is infinite. */
export interface Cell {
  x: number;
  y: number;
  row: number;
  column: number;
  value: number | string | null;
}

export type Place = { x: number; y: number } | { row: number; column: number };

/** The names of the colormaps that masks can have. */
export interface Colormaps {
  opencv: string[];
  kiln: string[];
}

/** A request that failed, with a message for people. */
export class RequestError extends Error {
  constructor(
    message: string,
    /** The status of the response; 0 without one. */
    readonly status = 0,
  ) {
    super(message);
  }
}

/** The routes of one mask. URLs are relative to the page's: the server may be behind a prefix. */
export class Api {
  private readonly id = /\/masks\/([^/]+)\/page$/.exec(location.pathname)?.[1] ?? '';

  private url(path: string): string {
    return new URL(`../${this.id}${path}`, location.href).href;
  }

  pictureUrl(query: URLSearchParams): string {
    return this.url(`.png?${query}`);
  }

  async mask(): Promise<Mask> {
    return (await send(this.url(''))).json();
  }

  /** The colormaps of the server. A server with keys lists none for this page, which has no key: the mask then keeps its own. */
  async colormaps(): Promise<Colormaps> {
    const response = await send(new URL('../../catalog', location.href).href).catch((error: unknown) => {
      if (error instanceof RequestError && (error.status === 401 || error.status === 403)) return null;
      throw error;
    });
    if (!response) return { opencv: [], kiln: [] };
    const catalog = await response.json();
    return { opencv: catalog.colormaps, kiln: catalog.schemes.map(({ name }: { name: string }) => name) };
  }

  async picture(query: URLSearchParams, signal?: AbortSignal): Promise<Blob> {
    return (await send(this.pictureUrl(query), { signal: signal ?? null })).blob();
  }

  async legend(query: URLSearchParams, signal?: AbortSignal): Promise<Legend> {
    return (await send(this.url(`/legend.json?${query}`), { signal: signal ?? null })).json();
  }

  async value(x: number, y: number, signal?: AbortSignal): Promise<Cell> {
    return (await send(this.url(`/value?x=${x}&y=${y}`), { signal: signal ?? null })).json();
  }

  /** Reports a click. */
  async click(place: Place): Promise<Cell> {
    const headers = { 'content-type': 'application/json' };
    return (await send(this.url('/click'), { method: 'POST', headers, body: JSON.stringify(place) })).json();
  }
}

async function send(url: string, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, options).catch((error: unknown) => {
    throw isAbort(error) ? error : new RequestError('The server cannot be reached.');
  });
  if (response.ok) return response;
  if (response.status === 404) throw new RequestError('The mask does not exist, or it has expired.', 404);
  const problem = await response.json().catch(() => ({}));
  throw new RequestError(problem.detail ?? `The server returned ${response.status} ${response.statusText}`.trim(), response.status);
}

/** Whether a request was canceled for a newer one. */
export const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';
