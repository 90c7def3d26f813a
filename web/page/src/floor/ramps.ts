import { legendOf, type HeatStyle } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import type { Curve } from './state.js';

/** The scheme of differences: blue for less, red for more. */
const DIFFERENCE_SCHEME = 'coolwarm';

/** Colors from low to high, evenly spread, as red, green, blue and opacity from 0 to 255. */
export interface Ramp {
  colors: [number, number, number, number][];
  css: string[];
}

const ramps = new Map<string, Promise<Ramp>>();

/** Loads the colors of a scheme. `style` has more parameters of the legend that has them. */
export function rampOf(layer: string, scheme: string, style: HeatStyle = {}): Promise<Ramp> {
  const key = `${layer}/${scheme}`;
  let ramp = ramps.get(key);
  if (!ramp) {
    ramp = legendOf(BASE, layer, { ...style, scheme }, 0).then(({ colors }) => ({ css: colors, colors: colors.map(parse) }));
    ramps.set(key, ramp);
    ramp.catch(() => ramps.delete(key));
  }
  return ramp;
}

/** The colors of differences: the smaller the difference, the more transparent. */
export async function differenceRamp(layer: string): Promise<Ramp> {
  const { colors } = await rampOf(layer, DIFFERENCE_SCHEME);
  const faded = colors.map(([red, green, blue], i): [number, number, number, number] => {
    const distance = Math.abs((2 * i) / (colors.length - 1) - 1);
    return [red, green, blue, Math.round(255 * Math.min(1, 0.1 + 1.8 * distance))];
  });
  return withCss(faded);
}

const withCss = (colors: Ramp['colors']): Ramp => ({
  colors,
  css: colors.map(([red, green, blue, alpha]) => `rgb(${Math.round(red)} ${Math.round(green)} ${Math.round(blue)} / ${(alpha / 255).toFixed(3)})`),
});

/** The relative luminance of lines, from a dark color to white: it contrasts with a white plan and with a dark one (WCAG 2.2). */
const LINE_LUMINANCE = [0.09, 0.27] as const;

const toLinear = (part: number) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const fromLinear = (part: number) => (part <= 0.0031308 ? part * 12.92 : 1.055 * part ** (1 / 2.4) - 0.055);

/** The colors of lines of differences. No line is at 0: the gray middle is left out. */
export async function differenceLineRamp(layer: string): Promise<Ramp> {
  const ramp = await rampOf(layer, DIFFERENCE_SCHEME);
  const count = ramp.colors.length;
  const at = (position: number) => (position < 0.5 ? 0.6 * position : 1 - 0.6 * (1 - position));
  return lineRamp(withCss(ramp.colors.map((_, i) => colorAt(ramp, at(i / (count - 1))))));
}

/** The colors of a ramp for thin lines: opaque, with the same hues, neither light nor very dark. */
export function lineRamp({ colors }: Ramp): Ramp {
  return withCss(colors.map(([red, green, blue]) => {
    const parts = [red, green, blue].map((part) => toLinear(part / 255)) as [number, number, number];
    const luminanceOf = ([r, g, b]: [number, number, number]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
    const luminance = luminanceOf(parts);
    const target = LINE_LUMINANCE[0] + (LINE_LUMINANCE[1] - LINE_LUMINANCE[0]) * luminance;
    // Toward black, or toward white.
    const white = luminance < target ? (target - luminance) / (1 - luminance) : 0;
    const black = luminance > target ? target / luminance : 1;
    const [r, g, b] = parts.map((part) => 255 * fromLinear(part * black * (1 - white) + white)) as [number, number, number];
    return [r, g, b, 255];
  }));
}

/** Parses `#rrggbb` or `#rrggbbaa`. */
function parse(color: string): [number, number, number, number] {
  const part = (at: number) => parseInt(color.slice(at, at + 2) || 'ff', 16);
  return [part(1), part(3), part(5), part(7)];
}

/** The color at a position from 0 to 1, interpolated. */
export function colorAt({ colors }: Ramp, position: number): [number, number, number, number] {
  const at = Math.min(Math.max(position, 0), 1) * (colors.length - 1);
  const [low, high] = [colors[Math.floor(at)]!, colors[Math.min(Math.floor(at) + 1, colors.length - 1)]!];
  return low.map((part, i) => part + (high[i]! - part) * (at - Math.floor(at))) as [number, number, number, number];
}

/** The position of a fraction of the span on a curve, both from 0 to 1, as in the server's pictures. */
export function positionOf(curve: Curve, share: number): number {
  if (curve === 'sqrt') return Math.sqrt(share);
  return curve === 'log' ? Math.log1p(999 * share) / Math.log(1000) : share;
}

/** A function from a value to its position on the colors, and the ticks of its legend. */
export interface Scale {
  /** The value of the last color. */
  max: number;
  position(value: number): number;
  ticks: { position: number; label: string }[];
}

const label = (value: number) => Number(value.toPrecision(3)).toLocaleString('en').replace('-', '−');

/** The scale from 0 to `max`. */
export function amountScale(max: number, curve: Curve): Scale {
  const position = (value: number) => positionOf(curve, Math.min(Math.max(value / max, 0), 1));
  const values = [0, ...niceValues(max)];
  return { max, position, ticks: values.map((value) => ({ position: position(value), label: label(value) })) };
}

/** The linear scale from −`max` to `max`. */
export function differenceScale(max: number): Scale {
  const position = (value: number) => 0.5 + Math.min(Math.max(value / max, -1), 1) / 2;
  const values = niceValues(max, 2.5);
  const all = [...values.map((value) => -value).reverse(), 0, ...values];
  return { max, position, ticks: all.map((value) => ({ position: position(value), label: value > 0 ? `+${label(value)}` : label(value) })) };
}

/** Round values up to `max`: at most `count`. */
function niceValues(max: number, count = 4): number[] {
  const power = 10 ** Math.floor(Math.log10(max));
  const step = [0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5].map((factor) => factor * power).find((step) => max / step <= count + 0.01) ?? power;
  return Array.from({ length: Math.floor(max / step + 1e-9) }, (_, i) => (i + 1) * step);
}

/** The value that a share of `values`, which are positive, does not exceed. */
export function percentile(values: number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(Math.ceil(share * sorted.length), sorted.length) - 1] ?? 0;
}
