import type { HeatStyle } from './style.js';

/** A layer of a Kiln server, in place of points in the page. */
export interface ServerLayer {
  /** The name of the layer in the server's catalog. */
  layer: string;
  /** The base URL of the server, such as `https://heat.example`. Default: the origin of the page. */
  url?: string;
  /** The style and the filter. Its members precede the options of the same meaning. */
  style?: HeatStyle;
  /** The key that reads the layer, on a server with keys. Everybody who sees the page can use it. */
  key?: string;
  /** Further parameters of the requests, as a query string: a style, or the signature of a signed URL. */
  query?: string;
}

/** The parameters of requests that the data adds to those of its style. */
export const accessOf = ({ key, query }: ServerLayer): string => [query, key && String(new URLSearchParams({ key }))].filter(Boolean).join('&');

/** The style of the data. That of its query string is text, apart from categories. */
export function styleOf({ query, style }: ServerLayer): HeatStyle {
  const parameters = new URLSearchParams(query);
  const categories = parameters.getAll('category').flatMap((text) => (text.startsWith('[') ? (JSON.parse(text) as string[]) : text.split(',')));
  return { ...Object.fromEntries(parameters), ...(categories.length ? { category: categories } : {}), ...style };
}

/** Whether data is a layer of a server. */
export const isServerLayer = (data: unknown): data is ServerLayer => typeof data === 'object' && data !== null && typeof (data as ServerLayer).layer === 'string';
