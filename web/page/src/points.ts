import L from 'leaflet';
import heatUrl from 'leaflet.heat/dist/leaflet-heat.js?url';
import { ask, parametersOf, type HeatStyle, type Legend, type TileJson } from 'kiln-leaflet';

import { BASE } from './catalog.js';

/** What leaflet.heat puts on a map. */
interface LeafletHeat extends L.Layer {
  setLatLngs(points: [number, number, number][]): this;
  setOptions(options: Record<string, unknown>): this;
  redraw(): this;
  _canvas?: HTMLCanvasElement;
  _heat?: { _circle: HTMLCanvasElement; _colorize(pixels: Uint8ClampedArray, gradient: Uint8ClampedArray): void };
}

type Leaflet = typeof L & { heatLayer(points: [number, number, number][], options: Record<string, unknown>): LeafletHeat };

/** The most points that the browser is given to draw; where a view has more, the server draws them. */
const MOST_POINTS = 20_000;
/** Share of the view around it whose points are asked for too. */
const PADDING = 0.4;
/** The faintest dot, as a share of full heat: a lone light point stays to be seen. */
const FAINTEST = 0.02;
/** How many times as hot as the hottest color a dot may be: it looks wider then, as the server's does, and dots that meet add up. */
const HEADROOM = 1.6;
/**
 * On a curve the positions of dots that meet do not add up, as values do: by this power they do more nearly, and the faint ones are
 * still seen.
 */
const POWER = 1.4;

let script: Promise<void> | undefined;

/** Loads leaflet.heat, a script that finds Leaflet as `L`. */
function load(): Promise<void> {
  (window as unknown as { L: typeof L }).L = L;
  script ??= new Promise((done, fail) => {
    const element = document.createElement('script');
    element.src = heatUrl;
    element.onload = () => done();
    element.onerror = () => fail(new Error('leaflet.heat cannot be loaded.'));
    document.head.append(element);
  });
  return script;
}

/** The points of a view, drawn by the browser with the colors of the tiles. */
export class Points {
  private heat: LeafletHeat | null = null;
  private underWay: AbortController | null = null;
  /** What the points that are there were asked for, and where. */
  private there: { key: string; bounds: L.LatLngBounds } | null = null;

  constructor(private readonly map: L.Map) {}

  /** Whether the browser draws. */
  get shown(): boolean {
    return this.heat !== null;
  }

  remove(): void {
    this.underWay?.abort();
    this.heat?.remove();
    this.heat = this.there = null;
  }

  /** Draws the points of the view; answers how many, or null if they are too many or another view is asked for by now. */
  async draw(layer: string, style: HeatStyle, legend: Legend, told: TileJson): Promise<number | null> {
    this.underWay?.abort();
    const { signal } = (this.underWay = new AbortController());
    const view = this.map.getBounds();
    const filter: HeatStyle = {};
    for (const name of ['start', 'end', 'category'] as const) Object.assign(filter, style[name] === undefined ? {} : { [name]: style[name] });
    const key = JSON.stringify([layer, style, legend.span, this.map.getZoom()]);
    if (this.shown && this.there?.key === key && this.there.bounds.contains(view)) return -1;

    const bounds = view.pad(PADDING);
    const edges = [bounds.getWest(), Math.max(bounds.getSouth(), -90), bounds.getEast(), Math.min(bounds.getNorth(), 90)];
    const parameters = parametersOf(filter);
    parameters.set('format', 'heat');
    parameters.set('limit', String(MOST_POINTS));
    parameters.set('bounds', edges.map((edge) => edge.toFixed(6)).join(','));
    const [answer] = await Promise.all([
      ask<{ points: [number, number, number][]; total: number; truncated: boolean }>(`${BASE}/${layer}/points?${parameters}`, { signal }),
      load(),
    ]);
    if (signal.aborted) return null;
    if (answer.truncated) {
      this.remove();
      return null;
    }
    const scale = intensity(style, legend, told, this.map.getZoom(), powerOf(legend));
    const points = answer.points.map(([lat, lng, weight]): [number, number, number] => [lat, lng, scale(weight)]);
    this.show(points, style, legend);
    this.there = { key, bounds };
    return answer.total;
  }

  private show(points: [number, number, number][], style: HeatStyle, legend: Legend): void {
    const radius = Number(style.radius ?? 12);
    // leaflet.heat blurs a disc; this one is as wide as the server's dot looks on its curve, and about as hot in the middle.
    const power = powerOf(legend);
    const blur = (power > 1 ? 0.265 : 0.23) * radius;
    const options = {
      radius: Math.max(1, 2.1 * blur),
      blur: Math.max(1, 2 * blur),
      max: HEADROOM,
      minOpacity: FAINTEST ** power / HEADROOM,
      maxZoom: 0, // an intensity is what it is at every zoom
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
    if (simple) simple._colorize = colorize(legend, HEADROOM / middleOf(simple._circle), power);
    this.heat.redraw();
  }
}

/** How opaque the middle of a dot is, 0 to 1: its blur takes some of it away. */
function middleOf(dot: HTMLCanvasElement): number {
  const seen = dot.getContext('2d')?.getImageData(dot.width >> 1, dot.height >> 1, 1, 1).data[3];
  return Math.max(seen ?? 255, 1) / 255;
}

/**
 * How opaque pixels become colors: `gain` times as opaque is as hot, to the power. They are as opaque as the legend's then, where
 * leaflet.heat takes them to be as opaque as they are hot.
 */
function colorize({ colors }: Legend, gain: number, power: number): (pixels: Uint8ClampedArray, gradient: Uint8ClampedArray) => void {
  const stops = colors.map((color) => parseInt(color.slice(7, 9) || 'ff', 16));
  const last = stops.length - 1;
  const heats = Uint8Array.from({ length: 256 }, (_, alpha) => Math.round(255 * Math.min((gain * alpha) / 255, 1) ** (1 / power)));
  const opaque = Uint8Array.from({ length: 256 }, (_, heat) => {
    const at = (heat / 255) * last;
    const [low, high] = [stops[Math.floor(at)]!, stops[Math.min(Math.floor(at) + 1, last)]!];
    return heat ? low + (high - low) * (at - Math.floor(at)) : 0;
  });
  return (pixels, gradient) => {
    for (let i = 0; i < pixels.length; i += 4) {
      if (!pixels[i + 3]) continue;
      const heat = heats[pixels[i + 3]!]!;
      pixels.set(gradient.subarray(4 * heat, 4 * heat + 3), i);
      pixels[i + 3] = opaque[heat]!;
    }
  };
}

/** The colors of the legend, as leaflet.heat takes them. */
function gradientOf({ colors }: Legend): Record<number, string> {
  return Object.fromEntries(colors.map((color, i) => [i / (colors.length - 1), color.slice(0, 7)]));
}

const powerOf = ({ span }: Legend) => (span && span.curve !== 'linear' ? POWER : 1);

/** From a point's weight to how hot the middle of its dot is, 1 for the hottest color, as the server would draw it alone, by a power. */
function intensity(style: HeatStyle, legend: Legend, told: TileJson, zoom: number, power: number): (weight: number) => number {
  const { vmin, vmax, curve } = legend.span ?? { vmin: 0, vmax: 1, curve: 'linear' };
  const radius = Number(style.radius ?? 12);
  const lat = Number(new URLSearchParams(told.tiles[0].split('?')[1]).get('true_scale') ?? 0);
  const pixelKm = (40_075.017 * Math.cos((lat * Math.PI) / 180)) / (256 * 2 ** zoom);
  // A Gaussian of a third of the radius holds all of its weight.
  const peak = ['mean', 'max'].includes(style.agg ?? 'sum') ? 1 : 9 / (2 * Math.PI * radius ** 2 * pixelKm ** 2);
  const counts = style.agg === 'count';
  const placed = curveOf(curve, legend);
  return (weight) => {
    const share = ((counts ? 1 : weight) * peak - vmin) / (vmax - vmin);
    return Math.min(Math.max(placed(Math.max(share, 0)), FAINTEST) ** power, HEADROOM);
  };
}

/** How far up the colors a share of the span stands. */
function curveOf(curve: string, { span, ticks }: Legend): (share: number) => number {
  if (curve === 'sqrt') return Math.sqrt;
  if (curve === 'log') return (share) => Math.log1p(999 * share) / Math.log(1000);
  if (curve !== 'eqhist' || !span) return (share) => share;
  // Equal areas have no formula: what the legend tells, and evenly between.
  const known = ticks.map(({ value, position }) => [(value - span.vmin) / (span.vmax - span.vmin), position] as const);
  const steps = [[0, 0] as const, ...known, [1, 1] as const].sort((a, b) => a[0] - b[0]);
  return (share) => {
    if (share >= 1) return 1;
    const above = Math.max(steps.findIndex(([at]) => at >= share), 1);
    const [[x0, y0], [x1, y1]] = [steps[above - 1]!, steps[above]!];
    return x1 > x0 ? y0 + ((y1 - y0) * (share - x0)) / (x1 - x0) : y1;
  };
}
