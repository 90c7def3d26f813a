import { ask, type HeatStyle } from 'kiln-leaflet';

/** Where the server is: where the page came from. */
export const BASE = new URL('.', document.baseURI).href.replace(/\/$/, '');

/** A layer, as `/catalog` tells of it. */
export interface LayerEntry {
  name: string;
  title: string;
  attribution: string | null;
  points: number;
  /** Corners: south and west, north and east. */
  bounds: [[number, number], [number, number]];
  weight: string | null;
  version: string;
  projections: string[];
  style: Record<string, string>;
}

/** What the server has, as `/catalog` tells it. */
export interface Catalog {
  layers: LayerEntry[];
  schemes: { name: string; family: string }[];
  /** What the page shows below the heat; land outlines where there is none. */
  page?: { basemap: string | null; attribution: string | null };
}

/** What a layer's points amount to, as `/{layer}/statistics` tells it. */
export interface Statistics {
  points: number;
  time: { start: string; end: string } | null;
  categories: { names: string[]; total: number } | null;
  zooms: { z: number; vmin: number; vmax: number; unit: string; histogram: number[] | null }[];
}

export const fetchCatalog = () => ask<Catalog>(`${BASE}/catalog`);

/** The layers that a map can show: those that lie on the globe. */
export const onGlobe = ({ layers }: Catalog) => layers.filter(({ projections }) => projections.includes('mercator'));

/** Whether a scheme turns transparent where there is little; the others would end in a hard edge. */
export const fadesIn = ({ schemes }: Catalog, name: string) =>
  schemes.find((scheme) => scheme.name === name)?.family === 'Overlay';

export type { HeatStyle };
