import { fetchJson } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { writeHeaders } from './access.js';

export const ROLES = ['lon', 'lat', 'geometry', 'weight', 'time', 'category', 'track'] as const;
export type Role = (typeof ROLES)[number];

/** The response of `/_/inspect`. */
export interface Inspection {
  format: string;
  columns: { name: string; role: Role | null; values: string[] }[];
  notices: string[];
  problem: string | null;
}

/** A file of at most this size is inspected as a whole; of a larger one, the first and the last mebibyte. */
const WHOLE_BYTES = 4 << 20;
const PART_BYTES = 1 << 20;

/** Asks the server for the columns of a file, which are read with `parameters`. Large files are not read as a whole. */
export async function inspect(file: File, parameters: URLSearchParams, signal: AbortSignal): Promise<Inspection> {
  const isWhole = file.size <= WHOLE_BYTES;
  const parts = isWhole ? [file] : [file.slice(0, PART_BYTES), file.slice(-PART_BYTES)];
  const query = new URLSearchParams(parameters);
  query.set('filename', file.name.slice(-100));
  query.set('file_bytes', String(file.size));
  if (!isWhole) query.set('end_bytes', String(PART_BYTES));
  await readable(file);
  const headers = { ...writeHeaders(), 'Content-Type': 'application/octet-stream' };
  return fetchJson(`${BASE}/_/inspect?${query}`, { method: 'POST', headers, body: new Blob(parts), signal });
}

/** Throws if the file cannot be read, such as a folder, or a file that was changed after it was chosen. */
export async function readable(file: File): Promise<void> {
  await file
    .slice(0, 1)
    .arrayBuffer()
    .catch(() => {
      throw new Error(`${file.name} cannot be read: it is a folder, or it was changed or removed after it was chosen.`);
    });
}
