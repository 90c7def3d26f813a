/** The pixels of a PNG with one byte per pixel: indices of its palette. */
export interface Indices {
  width: number;
  height: number;
  /** The rows from the top. */
  values: Uint8Array;
}

const SIGNATURE_BYTES = 8;
const INDEXED = 3;

/**
 * Decodes an indexed PNG with 8 bits per pixel. A canvas would return colors, and browsers that protect from fingerprinting return
 * random ones.
 */
export async function decodeIndexed(bytes: ArrayBuffer): Promise<Indices> {
  const view = new DataView(bytes);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = SIGNATURE_BYTES; at + 12 <= bytes.byteLength; at += 12 + view.getUint32(at)) {
    const type = String.fromCharCode(...new Uint8Array(bytes, at + 4, 4));
    if (type === 'IDAT') parts.push(new Uint8Array(bytes, at + 8, view.getUint32(at)));
  }
  const [width, height, depth, color] = [view.getUint32(16), view.getUint32(20), view.getUint8(24), view.getUint8(25)];
  if (depth !== 8 || color !== INDEXED) throw new Error('The picture is not an indexed PNG.');
  const rows = new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer());
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (width + 1)];
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const left = x ? values[at - 1]! : 0;
      const up = y ? values[at - width]! : 0;
      const corner = x && y ? values[at - width - 1]! : 0;
      const predicted = filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : filter === 4 ? paeth(left, up, corner) : 0;
      values[at] = rows[y * (width + 1) + 1 + x]! + predicted;
    }
  }
  return { width, height, values };
}

/** The predictor of filter 4: that of the neighbors which is the nearest to left + up − corner. */
function paeth(left: number, up: number, corner: number): number {
  const [byLeft, byUp, byCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}
