import type { Catalog } from '../catalog.js';

const MAX_LENGTH = 64;
/** Extensions of files with points, also of those that are compressed. */
const EXTENSION = /(\.(csv|tsv|txt|geojsonl?|geojsons|json|jsonl|ndjson|parquet|pq|geoparquet|arrows?|feather|ipc|gpx|kml|gpkg|sqlite3?|db|fgb|shp))?(\.(gz|zst))?$/i;

/** The title that a file proposes: its name without extensions. */
export const titleOf = (filename: string) => filename.replace(EXTENSION, '').replaceAll('_', ' ').trim() || filename;

/** The name that a title proposes: valid, not one of the server's own, and not that of another layer. */
export function nameOf(title: string, { layers, unreadable = [], writes }: Catalog): string {
  const plain = title.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('ß', 'ss');
  const slug = plain.replace(/[^a-z0-9_]+/g, '-').replace(/^-+|-+$/g, '').slice(0, MAX_LENGTH - 4) || 'layer';
  const taken = new Set([...[...layers, ...unreadable].map(({ name }) => name), ...(writes?.reserved ?? [])]);
  if (!taken.has(slug)) return slug;
  for (let number = 2; ; number++) {
    if (!taken.has(`${slug}-${number}`)) return `${slug}-${number}`;
  }
}

/** What is wrong with the name of a layer; empty if it is valid, even if a layer of the store has it. */
export function nameProblem(name: string, { layers, unreadable = [], writes }: Catalog): string {
  if (!name) return 'The layer needs a name.';
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) return 'Use 1 to 64 letters A-Z, a-z, digits, _ or -.';
  if (writes?.reserved.includes(name)) return 'The name is one of the server’s own.';
  if (unreadable.some((known) => known.name === name)) return 'A layer with this name is damaged and cannot be read; choose another name.';
  const layer = layers.find((known) => known.name === name);
  if (layer && !layer.stored) return 'A layer with this name is read from the server’s files or database; choose another name.';
  return '';
}
