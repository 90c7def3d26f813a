// Masks to look at, and the files that they are sent as.
import { crc32, deflateSync } from 'node:zlib';

/** A NumPy file of 64-bit floats, with the values of a function of row and column. */
export function npy(rows, columns, value) {
  const head = `{'descr': '<f8', 'fortran_order': False, 'shape': (${rows}, ${columns}), }\n`;
  const values = Float64Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\0', 'latin1'), Buffer.from([head.length & 255, head.length >> 8]), Buffer.from(head), Buffer.from(values.buffer)]);
}

/** A PNG with the colors of a function of row and column, as [red, green, blue]. */
export function png(rows, columns, color) {
  const lines = Array.from({ length: rows }, (_, row) => [0, ...Array.from({ length: columns }, (_, column) => color(row, column)).flat()]);
  const part = (name, bytes) => {
    const body = Buffer.concat([Buffer.from(name), bytes]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(bytes.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(columns, 0);
  head.writeUInt32BE(rows, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([magic, part('IHDR', head), part('IDAT', deflateSync(Buffer.from(lines.flat()))), part('IEND', Buffer.alloc(0))]);
}

/** The example of docs/masks.md: two Gaussian blobs over a gradient. */
export const BLOBS = { rows: 480, columns: 640, style: { vmin: '0', vmax: '255', transparent_low: 'true', colormap: 'jet', blur_ksize: '7,7', opacity: '70' } };
export function blobs() {
  const blob = (row, column, x, y, sigma) => Math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma ** 2));
  const value = (row, column) => 255 * Math.min(blob(row, column, 200, 180, 56) + 0.75 * blob(row, column, 450, 300, 84), 1);
  const gradient = (row, column) => [60 + Math.floor(column / 4), 40 + Math.floor((3 * row) / 8), 150];
  return { mask: npy(BLOBS.rows, BLOBS.columns, value), background: png(BLOBS.rows, BLOBS.columns, gradient), ...BLOBS.style };
}

/** Stores a mask, and returns its description. Files are Buffers, the rest is text. */
export async function store(url, fields) {
  const form = new FormData();
  for (const [name, field] of Object.entries(fields)) form.append(name, typeof field === 'string' ? field : new Blob([field]), ...(typeof field === 'string' ? [] : [name]));
  const response = await fetch(`${url}/masks`, { method: 'POST', body: form });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  return response.json();
}
