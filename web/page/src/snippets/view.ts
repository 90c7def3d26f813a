/** The snippets, in the order of their tabs. */
export const KINDS = ['Web page', 'Leaflet', 'MapLibre', 'OpenLayers', 'Google Maps', 'curl'] as const;
export type Kind = (typeof KINDS)[number];

/** What the code sends to a server with keys. */
export interface CodeKey {
  /** Parameters to append to a query string; empty without any. */
  query: string;
  /** Whether the parameters are a signature, which belongs to the layer. */
  isSigned: boolean;
}

/** The code of a server without keys, or of what everybody may read. */
export const NO_KEY: CodeKey = { query: '', isSigned: false };

/** What a snippet shows. */
export interface View {
  /** The base URL of the server. */
  base: string;
  layer: string;
  title: string;
  /** The attribution of the points, as HTML; empty without one. */
  attribution: string;
  /** The style and the filter, as a query string. */
  query: string;
  zoom: number;
  lat: string;
  lng: string;
  /** The URL of the view as one picture. */
  picture: string;
  /** The URL of the legend of that picture. */
  legend: string;
  /** What the code sends to a server with keys. */
  key: CodeKey;
  /** The basemap of the configuration, or null. */
  basemap: { url: string; attribution: string } | null;
}

/** The style and the filter, and the key or the signature, as a query string. */
export const queryOf = ({ query, key }: Pick<View, 'query' | 'key'>) => [query, key.query].filter(Boolean).join('&');

/** The URL of the layer's TileJSON. */
export const tileJsonUrl = (view: View) => `${view.base}/${view.layer}?${queryOf(view)}`;

/** The URL template of the layer's tiles; `ratio` follows the row. */
export const tilesUrl = (view: View, ratio = '') => `${view.base}/${view.layer}/{z}/{x}/{y}${ratio}.png?${queryOf(view)}`;

/** A text as a literal of JavaScript, also within HTML. */
export function literal(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'").replaceAll('<', '\\x3c');
  return `'${escaped}'`;
}

/** The URL of a basemap for libraries other than Leaflet, which do not know `{s}` and `{r}`. */
export const plainBasemap = (url: string) => url.replaceAll('{s}', 'a').replaceAll('{r}', '');
