import L from 'leaflet';
import { fetchJson, parametersOf, type HeatStyle, type Legend } from 'kiln-leaflet';

import { BASE } from './catalog.js';
import { filterOf } from './area/ring.js';
import { colorize, hasFormula } from './color-scale.js';
import { dotSize, pixelWidthM, type DotSize } from './dot-size.js';
import { densityOf, isShape, reachOf } from './kernels.js';

/** Maximum number of points that the browser draws. The server renders views with more. */
const MAX_POINTS = 20_000;
/** Maximum radius of a dot that the browser draws, in pixels. */
const MAX_RADIUS_PX = 100;
/** Maximum number of additions for a picture: about a third of a second on a laptop. */
const MAX_STEPS = 150_000_000;
/** Margin around the view that is drawn too, and of the points that are requested, as fractions of the view. */
const PADDING = 0.2;
const REQUEST_PADDING = 0.5;
/** Duration of the cross-fade between the picture of the server and that of the browser. */
export const FADE_MS = 250;

/** The values of one per pixel in the units of a style, by the width of a pixel in meters. */
const FACTORS: Record<string, (pixelM: number) => number> = {
  per_km2: (pixelM) => 1e6 / pixelM ** 2,
  per_m2: (pixelM) => 1 / pixelM ** 2,
  per_px: () => 1,
};

interface Loaded {
  /** The layer and the filter. */
  key: string;
  bounds: L.LatLngBounds;
  /** Latitude, longitude and weight. */
  points: [number, number, number][];
}

/** The points of a view, drawn by the browser with the kernel and the colors of the server. */
export class Points {
  private picture: L.SVGOverlay | null = null;
  private pending: AbortController | null = null;
  private loaded: Loaded | null = null;
  /** The key and the bounds of the picture. */
  private drawn: { key: string; bounds: L.LatLngBounds } | null = null;

  constructor(private readonly map: L.Map) {
    const pane = map.createPane('points');
    pane.style.zIndex = '251'; // above the layer of the server
    pane.style.pointerEvents = 'none';
  }

  /** Whether the browser draws the points. */
  get shown(): boolean {
    return this.picture !== null;
  }

  /** Removes the picture, which fades out. */
  remove(): void {
    this.pending?.abort();
    const { picture } = this;
    this.picture = this.drawn = null;
    if (!picture) return;
    picture.setOpacity(0);
    setTimeout(() => picture.remove(), FADE_MS);
  }

  /**
   * Draws the points of the view in the complete style of the layer. Returns their number, -1 if they are drawn already, or null if
   * the request is outdated or the server must draw them: there are too many, their dots are too large, or the browser lacks the style.
   */
  async draw(layer: string, style: HeatStyle, legend: Legend): Promise<number | null> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const zoom = this.map.getZoom();
    const size = dotSize(style.radius ?? 20, zoom);
    if (!size || !canDraw(style, legend) || this.maxRadius(size) > MAX_RADIUS_PX) {
      this.remove();
      return null;
    }
    const view = this.map.getBounds();
    const key = JSON.stringify([layer, style, legend.span, zoom]);
    if (this.shown && this.drawn?.key === key && this.drawn.bounds.contains(view)) return -1;
    const points = await this.load(layer, style, reachOf(style.kernel ?? 'gaussian', this.maxRadius(size)), signal);
    if (signal.aborted) return null;
    const drawn = points && this.drawPoints(points, style, legend, size);
    if (!drawn) {
      this.remove();
      return null;
    }
    this.drawn = { key, bounds: drawn };
    return points.filter(([lat, lng]) => view.contains([lat, lng])).length;
  }

  /** The largest radius of dots in the view, in pixels. */
  private maxRadius({ radiusAt }: DotSize): number {
    const view = this.map.getBounds();
    return Math.max(...[view.getNorth(), view.getSouth()].map((lat) => radiusAt(Math.min(Math.max(lat, -85), 85))));
  }

  /** The pixels of the map that are drawn: the view and a margin. */
  private pixelBounds(padding: number, reach = 0): L.Bounds {
    const view = this.map.getPixelBounds();
    const margin = this.map.getSize().multiplyBy(padding).add([reach, reach]);
    return L.bounds(view.min!.subtract(margin).floor(), view.max!.add(margin).ceil());
  }

  private latLngBounds({ min, max }: L.Bounds): L.LatLngBounds {
    return L.latLngBounds(this.map.unproject([min!.x, max!.y]), this.map.unproject([max!.x, min!.y]));
  }

  /** The points in reach of the view, from the last response if it has them. Null: too many. */
  private async load(layer: string, style: HeatStyle, reach: number, signal: AbortSignal): Promise<Loaded['points'] | null> {
    const filter = filterOf(style);
    const key = JSON.stringify([layer, filter]);
    const needed = this.latLngBounds(this.pixelBounds(PADDING, reach));
    if (this.loaded?.key === key && this.loaded.bounds.contains(needed)) return this.loaded.points;
    const bounds = this.latLngBounds(this.pixelBounds(REQUEST_PADDING, reach));
    const edges = [bounds.getWest(), Math.max(bounds.getSouth(), -90), bounds.getEast(), Math.min(bounds.getNorth(), 90)];
    const parameters = parametersOf(filter);
    parameters.set('format', 'heat');
    parameters.set('limit', String(MAX_POINTS));
    parameters.set('bounds', edges.map((edge) => edge.toFixed(6)).join(','));
    const response = await fetchJson<{ points: Loaded['points']; truncated: boolean }>(`${BASE}/${layer}/points?${parameters}`, { signal });
    if (signal.aborted || response.truncated) return null;
    this.loaded = { key, bounds, points: response.points };
    return response.points;
  }

  /** Draws the points on a canvas that replaces the last one. Returns its bounds, or null if it would take too long. */
  private drawPoints(points: Loaded['points'], style: HeatStyle, legend: Legend, { radiusAt }: DotSize): L.LatLngBounds | null {
    const zoom = this.map.getZoom();
    // As the tiles of Leaflet.
    const ratio = devicePixelRatio > 1 ? 2 : 1;
    const frame = this.pixelBounds(PADDING);
    const { x: width, y: height } = frame.getSize().multiplyBy(ratio);
    const origin = frame.min!;
    const counts = style.agg === 'count';
    const dots = points.map(([lat, lng, weight]) => {
      const { x, y } = this.map.project([lat, lng], zoom).subtract(origin).multiplyBy(ratio);
      return { x, y, weight: counts ? 1 : weight, radiusPx: ratio * radiusAt(lat) };
    });
    const density = densityOf(dots, style.kernel ?? 'gaussian', width, height, MAX_STEPS);
    if (!density) return null;
    const factor = FACTORS[style.units ?? 'per_km2'] ?? FACTORS['per_km2']!;
    const factorOf = (row: number) => factor(pixelWidthM(this.map.unproject([origin.x, origin.y + (row + 0.5) / ratio], zoom).lat, zoom) / ratio);
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height, className: 'points' });
    canvas.getContext('2d')?.putImageData(colorize(density, width, legend, factorOf), 0, 0);
    const bounds = this.latLngBounds(frame);
    this.show(canvas, bounds, Number(style.opacity ?? 1));
    return bounds;
  }

  private show(canvas: HTMLCanvasElement, bounds: L.LatLngBounds, opacity: number): void {
    const before = this.picture;
    // An overlay of Leaflet for any element, which its types declare for SVG only.
    const element = canvas as unknown as SVGElement;
    this.picture = L.svgOverlay(element, bounds, { pane: 'points', opacity: before ? opacity : 0, className: 'points' }).addTo(this.map);
    // The first one fades in; the next ones replace it at once.
    before?.remove();
    if (!before) requestAnimationFrame(() => requestAnimationFrame(() => this.picture?.setOpacity(opacity)));
  }
}

/** Whether the style is one that the browser draws: a sum of dots without a background, on a scale from 0 or more that has a formula. */
function canDraw({ agg = 'sum', kernel = 'gaussian', background, blend = 'add' }: HeatStyle, { span }: Legend): boolean {
  return ['sum', 'count'].includes(agg) && isShape(kernel) && !background && blend === 'add' && span !== null && span.vmin >= 0 && hasFormula(span.curve);
}
