/** A color of a gradient and its share of the range, 0 to 1. */
export type Stop = readonly [share: number, color: string];

/** The number of colors of a palette. */
export const COLORS = 1024;

type Rgba = readonly [red: number, green: number, blue: number, alpha: number];

/** Colors at even distances: the first one is the coldest. */
export function evenStops(colors: readonly string[]): Stop[] {
  const last = Math.max(colors.length - 1, 1);
  return colors.map((color, i) => [i / last, color]);
}

/** The stops of an object such as `{0.4: 'blue', 1: 'red'}`, in the order of their shares. */
export function stopsOf(gradient: Readonly<Record<string, string>>): Stop[] {
  const stops = Object.entries(gradient).map(([share, color]): Stop => [Number(share), color]);
  const wrong = stops.find(([share]) => !(share >= 0 && share <= 1));
  if (wrong) throw new RangeError(`gradient: ${wrong[0]} is not a share of the range, 0 to 1`);
  return stops.sort(([a], [b]) => a - b);
}

/**
 * Returns the colors of a gradient from cold to hot, as pixels of an `ImageData`. `alphaAt` replaces the opacity of the color at a
 * share of the range. Throws a `RangeError` for a color that CSS does not know.
 */
export function paletteOf(stops: readonly Stop[], alphaAt?: (share: number, alpha: number) => number): Uint32Array {
  const bytes = new Uint8ClampedArray(4 * COLORS);
  const parsed = stops.map(([share, color]) => ({ share, color: rgbaOf(color) }));
  let next = 0;
  for (let i = 0; i < COLORS; i++) {
    const share = i / (COLORS - 1);
    while (next < parsed.length && parsed[next]!.share < share) next++;
    const [low, high] = [parsed[Math.max(next - 1, 0)], parsed[Math.min(next, parsed.length - 1)]];
    if (!low || !high) break;
    const width = high.share - low.share;
    const part = width > 0 ? Math.min(Math.max((share - low.share) / width, 0), 1) : 0;
    const [red, green, blue, alpha] = mix(low.color, high.color, part);
    bytes.set([red, green, blue, 255 * (alphaAt ? alphaAt(share, alpha) : alpha)], 4 * i);
  }
  return new Uint32Array(bytes.buffer);
}

/** Interpolates straight colors; one that is fully transparent has no hue of its own. */
function mix(low: Rgba, high: Rgba, part: number): Rgba {
  const from = low[3] === 0 && isBlack(low) ? high : low;
  const to = high[3] === 0 && isBlack(high) ? low : high;
  const at = (i: 0 | 1 | 2) => from[i] + part * (to[i] - from[i]);
  return [at(0), at(1), at(2), low[3] + part * (high[3] - low[3])];
}

/** Whether a color is black, such as `transparent`. */
const isBlack = ([red, green, blue]: Rgba) => red + green + blue === 0;

let context: CanvasRenderingContext2D | null = null;

/** The channels of a CSS color: 0 to 255, the opacity 0 to 1. */
export function rgbaOf(color: string): Rgba {
  context ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('The browser has no 2-D canvas.');
  // An invalid color leaves the previous one.
  const normalized = ['#000', '#fff'].map((other) => {
    context!.fillStyle = other;
    context!.fillStyle = color;
    return String(context!.fillStyle);
  });
  if (normalized[0] !== normalized[1]) throw new RangeError(`gradient: \`${color}\` is not a CSS color such as red, #ff0000 or rgba(255, 0, 0, 0.5)`);
  const text = normalized[0]!;
  const hex = /^#(..)(..)(..)$/.exec(text);
  if (hex) return [1, 2, 3].map((i) => parseInt(hex[i]!, 16)).concat(1) as unknown as Rgba;
  const rgba = /^rgba\((\d+), (\d+), (\d+), ([\d.e-]+)\)$/.exec(text);
  if (rgba) return rgba.slice(1).map(Number) as unknown as Rgba;
  // Colors of other color spaces, such as oklch().
  context.clearRect(0, 0, 1, 1);
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0, alpha = 0] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
}
