import { fetchJson } from 'kiln-leaflet';

import { BASE } from '../catalog.js';

/** A category with the number of its points. */
export interface Category {
  name: string;
  points: number;
}

/** The response of `/{layer}/categories`. */
export interface CategoryList {
  /** Those with the most points first. */
  categories: Category[];
  /** The number of categories whose name contains the searched text. */
  matching: number;
  total: number;
  /** The number of points without a category. */
  without_category: number;
}

/** The maximum of the server. */
export const MAX_LISTED = 1000;

/** Returns the categories of a layer whose name contains `search`. */
export function fetchCategories(layer: string, search = '', limit = MAX_LISTED, signal?: AbortSignal): Promise<CategoryList> {
  const query = new URLSearchParams({ limit: String(limit), ...(search ? { search } : {}) });
  return fetchJson(`${BASE}/${encodeURIComponent(layer)}/categories?${query}`, { signal: signal ?? null, cache: 'no-cache' });
}

/** Returns the categories of a list whose name contains `search`. Case is ignored, as by the server. */
export function matching(categories: Category[], search: string): Category[] {
  const part = search.trim().toLowerCase();
  return part ? categories.filter(({ name }) => name.toLowerCase().includes(part)) : categories;
}
