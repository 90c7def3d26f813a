import { fetchJson, KilnError } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { credentials } from './access.js';

export const ROLES = ['lon', 'lat', 'geometry', 'weight', 'time', 'category', 'track'] as const;
export type Role = (typeof ROLES)[number];

/** The response of `/_/inspect`. */
export interface Inspection {
  format: string;
  columns: { name: string; role: Role | null; values: string[] }[];
  notices: string[];
  problem: string | null;
}

/**
 * A file of at most `whole` bytes is inspected as a whole; of a larger one, the first and the last `part`. The smaller sizes are for
 * servers that accept no larger bodies.
 */
const SIZES = [
  { whole: 4 << 20, part: 1 << 20 },
  { whole: 128 << 10, part: 64 << 10 },
];

/** Asks the server for the columns of a file, which are read with `parameters`. Large files are not read as a whole. */
export async function inspect(file: File, parameters: URLSearchParams, signal: AbortSignal): Promise<Inspection> {
  await readable(file);
  const [usual, small] = SIZES as [(typeof SIZES)[0], (typeof SIZES)[0]];
  return send(file, parameters, usual, signal).catch((error: unknown) => {
    if (error instanceof KilnError && error.status === 413 && file.size > small.whole) return send(file, parameters, small, signal);
    throw error;
  });
}

async function send(file: File, parameters: URLSearchParams, { whole, part }: (typeof SIZES)[0], signal: AbortSignal): Promise<Inspection> {
  const isWhole = file.size <= whole;
  const parts = isWhole ? [file] : [file.slice(0, part), file.slice(-part)];
  const query = new URLSearchParams(parameters);
  query.set('filename', file.name.slice(-100));
  query.set('file_bytes', String(file.size));
  if (!isWhole) query.set('end_bytes', String(part));
  const headers = { ...credentials(), 'Content-Type': 'application/octet-stream' };
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
