import type { Legend } from 'kiln-leaflet';

/** The factor of the server's logarithmic curve. */
const LOG_FACTOR = 999;

/** The curves with a formula, from a fraction of the span to a position on the color scale. An equalized scale has none. */
const CURVES: Record<string, (share: number) => number> = {
  linear: (share) => share,
  sqrt: Math.sqrt,
  log: (share) => Math.log1p(LOG_FACTOR * share) / Math.log1p(LOG_FACTOR),
};

export const hasFormula = (curve: string) => curve in CURVES;

/** The 256 colors of a legend as bytes: red, green, blue, opacity. The first is transparent: no data. */
function paletteOf({ colors }: Legend): Uint8ClampedArray {
  const palette = new Uint8ClampedArray(4 * 256);
  const parts = colors.map((color) => [1, 3, 5, 7].map((at) => parseInt(color.slice(at, at + 2) || 'ff', 16)));
  const last = parts.length - 1;
  for (let index = 1; index < 256; index++) {
    const at = ((index - 1) / 254) * last;
    const low = Math.min(Math.floor(at), last - 1);
    for (let part = 0; part < 4; part++) {
      const [a, b] = [parts[low]![part]!, parts[low + 1]![part]!];
      palette[4 * index + part] = a + (b - a) * (at - low);
    }
  }
  return palette;
}

/**
 * Colors a density as the server does: each value has one of 256 positions on the scale of the legend. `factorOf` returns the factor
 * of a row, from amounts per pixel to the unit of the legend.
 */
export function colorize(density: Float32Array, width: number, legend: Legend, factorOf: (row: number) => number): ImageData {
  const image = new ImageData(width, density.length / width);
  const pixels = new Uint32Array(image.data.buffer);
  const palette = new Uint32Array(paletteOf(legend).buffer);
  const { vmin, vmax, curve } = legend.span ?? { vmin: 0, vmax: 1, curve: 'linear' };
  const positionOf = CURVES[curve] ?? CURVES['linear']!;
  for (let row = 0; row < image.height; row++) {
    const scale = factorOf(row) / (vmax - vmin);
    const offset = vmin / (vmax - vmin);
    for (let i = row * width; i < (row + 1) * width; i++) {
      const value = density[i]!;
      if (!(value > 0)) continue;
      const share = value * scale - offset;
      if (share > 0) pixels[i] = palette[share >= 1 ? 255 : Math.floor(255 * positionOf(share) + 0.5)]!;
    }
  }
  return image;
}
