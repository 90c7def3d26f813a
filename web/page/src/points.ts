import L from 'leaflet';
import heatUrl from 'leaflet.heat/dist/leaflet-heat.js?url';
import { fetchJson, parametersOf, type HeatStyle, type Legend } from 'kiln-leaflet';

import { BASE } from './catalog.js';
import { dotSize, pixelWidthM, type DotSize } from './dot-size.js';

/** The layer of leaflet.heat. */
interface LeafletHeat extends L.Layer {
  setLatLngs(points: [number, number, number][]): this;
  setOptions(options: Record<string, unknown>): this;
  redraw(): this;
  _canvas?: HTMLCanvasElement;
  _heat?: { _circle: HTMLCanvasElement; _colorize(pixels: Uint8ClampedArray, gradient: Uint8ClampedArray): void };
}

type Leaflet = typeof L & { heatLayer(points: [number, number, number][], options: Record<string, unknown>): LeafletHeat };

/** Maximum number of points that the browser draws. The server renders views with more. */
const MAX_POINTS = 20_000;
/** Maximum radius of a dot that the browser draws, in pixels. */
const MAX_RADIUS_PX = 100;
/** Maximum ratio of the radii of dots in a view: those of leaflet.heat all have the same radius in pixels. */
const MAX_RATIO = 1.25;
/** Margin around the view whose points are requested too, as a fraction of the view. */
const PADDING = 0.4;
/** Minimum intensity of a dot, as a fraction of the maximum, so that single points with a low weight stay visible. */
const MIN_INTENSITY = 0.02;
/** Maximum intensity of a dot, in multiples of the hottest color: such dots look wider, as the server's do, and overlapping dots add up. */
const MAX_INTENSITY = 1.6;
/**
 * Exponent of intensities on a non-linear scale, where positions on the scale do not add up as values do. With it overlapping dots
 * nearly add up, and faint dots stay visible.
 */
const POWER = 1.4;

let script: Promise<void> | undefined;

/** Loads leaflet.heat, a script that expects Leaflet in the global `L`. */
function load(): Promise<void> {
  (window as unknown as { L: typeof L }).L = L;
  script ??= new Promise((done, fail) => {
    const element = document.createElement('script');
    element.src = heatUrl;
    element.onload = () => done();
    element.onerror = () => fail(new Error('Failed to load leaflet.heat.'));
    document.head.append(element);
  });
  return script;
}

/** The points of a view, drawn by the browser in the colors of the tiles. */
export class Points {
  private heat: LeafletHeat | null = null;
  private pending: AbortController | null = null;
  /** The key and the bounds of the current points. */
  private drawn: { key: string; bounds: L.LatLngBounds } | null = null;

  constructor(private readonly map: L.Map) {}

  /** Whether the browser draws the points. */
  get shown(): boolean {
    return this.heat !== null;
  }

  remove(): void {
    this.pending?.abort();
    this.heat?.remove();
    this.heat = this.drawn = null;
  }

  /**
   * Draws the points of the view in the complete style of the layer. Returns their number, -1 if they are drawn already, or null if
   * the request is outdated or the server must draw them: there are too many, or their dots are too large or of different sizes.
   */
  async draw(layer: string, style: HeatStyle, legend: Legend): Promise<number | null> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const view = this.map.getBounds();
    const zoom = this.map.getZoom();
    const size = dotSize(style.radius, zoom);
    const radius = size && this.radiusIn(view, size);
    if (!size || radius === null) {
      this.remove();
      return null;
    }
    const filter: HeatStyle = {};
    for (const name of ['start', 'end', 'hours', 'weekdays', 'months', 'tz', 'category'] as const) Object.assign(filter, style[name] === undefined ? {} : { [name]: style[name] });
    const key = JSON.stringify([layer, style, legend.span, zoom, radius]);
    if (this.shown && this.drawn?.key === key && this.drawn.bounds.contains(view)) return -1;

    const bounds = view.pad(PADDING);
    const edges = [bounds.getWest(), Math.max(bounds.getSouth(), -90), bounds.getEast(), Math.min(bounds.getNorth(), 90)];
    const parameters = parametersOf(filter);
    parameters.set('format', 'heat');
    parameters.set('limit', String(MAX_POINTS));
    parameters.set('bounds', edges.map((edge) => edge.toFixed(6)).join(','));
    const [response] = await Promise.all([
      fetchJson<{ points: [number, number, number][]; total: number; truncated: boolean }>(`${BASE}/${layer}/points?${parameters}`, { signal }),
      load(),
    ]);
    if (signal.aborted) return null;
    if (response.truncated) {
      this.remove();
      return null;
    }
    const scale = intensity(style, legend, size, zoom, powerOf(legend));
    const points = response.points.map(([lat, lng, weight]): [number, number, number] => [lat, lng, scale(weight, lat)]);
    this.show(points, radius, style, legend);
    this.drawn = { key, bounds };
    return response.total;
  }

  /** The radius of the dots of a view in pixels, that at its center. Null: leaflet.heat cannot draw them. */
  private radiusIn(view: L.LatLngBounds, { radiusAt, isOnGround }: DotSize): number | null {
    const radius = radiusAt(this.map.getCenter().lat);
    const radii = [radius, ...[view.getNorth(), view.getSouth()].map((lat) => radiusAt(Math.min(Math.max(lat, -85), 85)))];
    if (radius > MAX_RADIUS_PX || Math.max(...radii) > MAX_RATIO * Math.min(...radii)) return null;
    // Two digits, so that a short move does not draw the points again.
    return isOnGround ? Number(radius.toPrecision(2)) : radius;
  }

  private show(points: [number, number, number][], radius: number, style: HeatStyle, legend: Legend): void {
    // leaflet.heat blurs a disc. This one has about the visible width and the peak of the server's dot on its scale.
    const power = powerOf(legend);
    const blur = (power > 1 ? 0.265 : 0.23) * radius;
    const options = {
      radius: Math.max(1, 2.1 * blur),
      blur: Math.max(1, 2 * blur),
      max: MAX_INTENSITY,
      minOpacity: MIN_INTENSITY ** power / MAX_INTENSITY,
      maxZoom: 0, // the intensity is the same at every zoom
      gradient: gradientOf(legend),
    };
    if (this.heat) {
      this.heat.setOptions(options);
      this.heat.setLatLngs(points);
    } else {
      this.heat = (L as Leaflet).heatLayer(points, options).addTo(this.map) as LeafletHeat;
    }
    const { _canvas: canvas, _heat: simple } = this.heat;
    if (canvas) canvas.style.opacity = String(style.opacity ?? 1);
    if (simple) simple._colorize = colorize(legend, MAX_INTENSITY / peakOf(simple._circle), power);
    this.heat.redraw();
  }
}

/** The opacity at the center of a blurred dot, 0 to 1. */
function peakOf(dot: HTMLCanvasElement): number {
  const seen = dot.getContext('2d')?.getImageData(dot.width >> 1, dot.height >> 1, 1, 1).data[3];
  return Math.max(seen ?? 255, 1) / 255;
}

/**
 * Returns a function that colors pixels by their opacity, times `gain`, to the power 1 / `power`. The result has the opacity of the
 * legend's colors; leaflet.heat itself would keep the opacity of the pixels.
 */
function colorize({ colors }: Legend, gain: number, power: number): (pixels: Uint8ClampedArray, gradient: Uint8ClampedArray) => void {
  const stops = colors.map((color) => parseInt(color.slice(7, 9) || 'ff', 16));
  const last = stops.length - 1;
  const intensities = Uint8Array.from({ length: 256 }, (_, alpha) => Math.round(255 * Math.min((gain * alpha) / 255, 1) ** (1 / power)));
  const opaque = Uint8Array.from({ length: 256 }, (_, heat) => {
    const at = (heat / 255) * last;
    const [low, high] = [stops[Math.floor(at)]!, stops[Math.min(Math.floor(at) + 1, last)]!];
    return heat ? low + (high - low) * (at - Math.floor(at)) : 0;
  });
  return (pixels, gradient) => {
    for (let i = 0; i < pixels.length; i += 4) {
      if (!pixels[i + 3]) continue;
      const heat = intensities[pixels[i + 3]!]!;
      pixels.set(gradient.subarray(4 * heat, 4 * heat + 3), i);
      pixels[i + 3] = opaque[heat]!;
    }
  };
}

/** The colors of the legend in the format of leaflet.heat. */
function gradientOf({ colors }: Legend): Record<number, string> {
  return Object.fromEntries(colors.map((color, i) => [i / (colors.length - 1), color.slice(0, 7)]));
}

const powerOf = ({ span }: Legend) => (span && span.curve !== 'linear' ? POWER : 1);

/** The values of one per pixel in the units of a style, by the width of a pixel in meters. */
const FACTORS: Record<string, (pixelM: number) => number> = {
  per_km2: (pixelM) => 1e6 / pixelM ** 2,
  per_m2: (pixelM) => 1 / pixelM ** 2,
  per_px: () => 1,
};

/**
 * Returns a function from the weight and latitude of a point to the peak of its dot as the server renders a single point, 1 for the
 * hottest color, to the power `power`.
 */
function intensity(style: HeatStyle, legend: Legend, { radiusAt }: DotSize, zoom: number, power: number): (weight: number, lat: number) => number {
  const { vmin, vmax, curve } = legend.span ?? { vmin: 0, vmax: 1, curve: 'linear' };
  const isWeight = ['mean', 'max'].includes(style.agg ?? 'sum');
  const counts = style.agg === 'count';
  const factor = FACTORS[style.units ?? 'per_km2'] ?? FACTORS['per_km2']!;
  // The peak of a Gaussian with a standard deviation of a third of the radius, of which nearly all weight is within the radius.
  const peakAt = (lat: number) => (isWeight ? 1 : (9 / (2 * Math.PI * radiusAt(lat) ** 2)) * factor(pixelWidthM(lat, zoom)));
  const positionOf = curveOf(curve, legend);
  return (weight, lat) => {
    const share = ((counts ? 1 : weight) * peakAt(lat) - vmin) / (vmax - vmin);
    return Math.min(Math.max(positionOf(Math.max(share, 0)), MIN_INTENSITY) ** power, MAX_INTENSITY);
  };
}

/** Returns a function from a fraction of the span to a position on the color scale. */
function curveOf(curve: string, { span, ticks }: Legend): (share: number) => number {
  if (curve === 'sqrt') return Math.sqrt;
  if (curve === 'log') return (share) => Math.log1p(999 * share) / Math.log(1000);
  if (curve !== 'eqhist' || !span) return (share) => share;
  // An equalized scale has no formula: interpolate between the ticks of the legend.
  const known = ticks.map(({ value, position }) => [(value - span.vmin) / (span.vmax - span.vmin), position] as const);
  const steps = [[0, 0] as const, ...known, [1, 1] as const].sort((a, b) => a[0] - b[0]);
  return (share) => {
    if (share >= 1) return 1;
    const above = Math.max(steps.findIndex(([at]) => at >= share), 1);
    const [[x0, y0], [x1, y1]] = [steps[above - 1]!, steps[above]!];
    return x1 > x0 ? y0 + ((y1 - y0) * (share - x0)) / (x1 - x0) : y1;
  };
}
