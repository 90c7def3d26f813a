import { fetchJson, hasHeaders, type HeatStyle } from 'kiln-leaflet';

import { unreadableSentence, type Damage, type Unreadable } from './damage.js';
import { showNotice } from './dom.js';
import { reloadPage } from './key.js';

/** The base URL of the server. The page has its way there from its own URL; default: the folder of the page. */
export const BASE = new URL(document.documentElement.dataset['root'] ?? '.', document.baseURI).href.replace(/\/$/, '');

/** A layer in the response of `/catalog`. */
export interface LayerEntry {
  name: string;
  title: string;
  attribution: string | null;
  points: number;
  /** The level of the cells of bins, rows that stand for many points each, and the seconds of which their times are multiples. Missing: the rows are points. */
  bins?: { level: number; bucket_s?: number };
  /** Whether requests can change its points. */
  stored: boolean;
  /** Corners: south and west, north and east; in degrees, or in meters on a plane. */
  bounds: [[number, number], [number, number]];
  /** Whether the points have positions. A layer without them has matrices only. */
  positions: boolean;
  weight: string | null;
  /** Missing: the layer is intact. */
  damaged?: Damage;
  version: string;
  projections: string[];
  style: Record<string, string>;
  /** The picture below a layer in meters. */
  floorplan?: { url: string; bounds: [[number, number], [number, number]] };
  /** The number of rooms of the layer. Missing: none. */
  rooms?: number;
}

/** The response of `/catalog`. */
export interface Catalog {
  layers: LayerEntry[];
  /** Layers whose files are damaged so that none of their points can be read. Missing: none. */
  unreadable?: Unreadable[];
  /** Color schemes, with evenly spaced colors from cold to hot. */
  schemes: { name: string; family: string; colors: string[] }[];
  /** Missing: the server does not report it. */
  writes?: {
    /** Whether requests can add layers: `token` if they must send the server's token. */
    access: 'open' | 'token' | 'closed';
    /** Why they cannot. */
    reason: string | null;
    /** The maximum size of an uploaded file. */
    max_bytes: number;
    /** Names that layers cannot have. */
    reserved: string[];
  };
  /** Missing: the server has no keys. */
  access?: Access;
  /** The basemap, without which the page draws outlines of land, and the zoom beyond which the browser draws points. */
  page?: { basemap: string | null; attribution: string | null; draw_points_beyond: number | null };
}

/** Whose key the page sends, on a server with keys. */
export interface Access {
  /** The name of the key; `anonymous` without one, null for the token of the server. */
  key: string | null;
  rights: string[];
  /** The pages that may use the key. Empty: it is not limited to pages. */
  origins: string[];
  expires_at: number | null;
  /** The keys as which URLs can be signed. Layers are empty if the key reads all. */
  signers: { key: string; layers: string[] }[];
}

/** The response of `/{layer}/statistics`. */
export interface Statistics {
  points: number;
  /** Null: no points. */
  weight: { min: number; max: number; sum: number; mean: number } | null;
  /** Null: no points, or a table without geometry. */
  bounds: [[number, number], [number, number]] | null;
  time: { start: string; end: string } | null;
  categories: { names: string[]; total: number } | null;
  /** With the parameter `bins`. */
  distributions?: {
    weights: { edges: number[]; points: number[] } | null;
    times: { start: string; end: string; points: number[] } | null;
    categories: { name: string; points: number }[] | null;
  };
  zooms: { z: number; vmin: number; vmax: number; unit: string; histogram: number[] | null }[];
}

const CATALOG = `${BASE}/catalog`;

/** Loads the catalog. A request with headers has another URL than the preloaded one, whose response browsers would use for it. */
export const fetchCatalog = () => fetchJson<Catalog>(hasHeaders(CATALOG) ? `${CATALOG}?_=1` : CATALOG, { cache: 'no-cache' });

/** The layers with positions in geographic coordinates. */
export const onGlobe = ({ layers }: Catalog) => layers.filter(({ positions, projections }) => positions && projections.includes('mercator'));

/** The duration of the buckets of time of a layer of bins, in milliseconds; of other layers 0. */
export const bucketOf = (layer: LayerEntry | undefined) => 1000 * (layer?.bins?.bucket_s ?? 0);

/** Whether a layer has x and y in meters. */
export const isPlane = ({ projections }: LayerEntry) => !projections.includes('mercator');

/** The layer of a URL fragment. Without a known one: the first in geographic coordinates, or the first. */
export function layerOf(fragment: string, catalog: Catalog): LayerEntry | undefined {
  const name = new URLSearchParams(fragment).get('layer');
  return catalog.layers.find((layer) => layer.name === name) ?? onGlobe(catalog)[0] ?? catalog.layers[0];
}

/** Reports that `shown` replaces the layer that the URL names, and why. */
export function reportMissingLayer(shown: LayerEntry | undefined, { unreadable = [], access }: Catalog): void {
  const name = new URLSearchParams(location.hash.slice(1)).get('layer');
  if (!shown || !name || name === shown.name) return;
  const damaged = unreadable.find((layer) => layer.name === name);
  const missing = `There is no layer \`${name}\`${access?.key ? ', or the key does not allow it' : ''}`;
  const reason = damaged ? unreadableSentence(damaged).replace(/\.$/, '') : missing;
  showNotice(`${reason}; showing ${shown.title}.`);
}

/** The URL of the page of a layer's matrix. */
export const matrixPage = (name: string) => `${BASE}/matrix/${encodeURIComponent(name)}`;

/** Shows a layer of the other kind, which needs another map: the page loads again. */
export function openLayer(name: string): void {
  history.replaceState(null, '', `#${new URLSearchParams({ layer: name })}`);
  reloadPage();
}

/** Whether a scheme is transparent at its low end. The others would show a hard edge there. */
export const fadesIn = ({ schemes }: Catalog, name: string) =>
  schemes.find((scheme) => scheme.name === name)?.family === 'Overlay';

export type { HeatStyle };
