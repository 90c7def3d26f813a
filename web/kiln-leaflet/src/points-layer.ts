import L from 'leaflet';

import { HeatCanvas } from '../../kiln-client/src/canvas/heat-canvas.js';
import type { Frame } from '../../kiln-client/src/canvas/grid.js';
import { mergePoints } from '../../kiln-client/src/canvas/merge.js';
import { OverlayGrid } from '../../kiln-client/src/canvas/overlay-grid.js';
import { paletteOf, stopsOf } from '../../kiln-client/src/canvas/palette.js';
import { Points } from '../../kiln-client/src/canvas/points.js';
import { shadowOf } from '../../kiln-client/src/canvas/shadow.js';
import { accessOf, isServerLayer, styleOf, type ServerLayer } from '../../kiln-client/src/server-layer.js';
import type { HeatStyle } from '../../kiln-client/src/style.js';
import { KilnTileLayer } from './tile-layer.js';

/** A point: latitude, longitude and intensity, or a location whose `alt` is the intensity. Default of the intensity: 1. */
export type HeatLatLng = L.LatLngExpression | readonly [lat: number, lng: number, intensity?: number];

/** The options of `L.heatLayer`, those of Leaflet.heat. */
export interface HeatLayerOptions extends L.LayerOptions {
  /** The lowest opacity of a dot. Default: 0.05. */
  minOpacity?: number;
  /** The zoom at which a dot has its full intensity; it halves with each zoom below. Default: the maximum zoom of the map. */
  maxZoom?: number;
  /** The intensity of a dot that is opaque. Default: 1. */
  max?: number;
  /** The radius of a dot in CSS pixels. Default: 25. */
  radius?: number;
  /** The blur of its edge in CSS pixels. Default: 15. */
  blur?: number;
  /** CSS colors by their shares, 0 to 1. */
  gradient?: Record<number, string>;
}

const GRADIENT = { 0.4: 'blue', 0.6: 'cyan', 0.7: 'lime', 0.8: 'yellow', 1: 'red' };
/** The part of the view that is drawn around it, so that a short drag shows no edge. */
const MARGIN = 0.25;
/** An intensity halves at most so many times. */
const MAX_HALVINGS = 12;

/** The heat of points in the page, or of a layer of a server: the API of Leaflet.heat. */
export class KilnPointsLayer extends L.Layer {
  private latLngs: HeatLatLng[] = [];
  private points: Points | null = null;
  private source: ServerLayer | null = null;
  private tiles: KilnTileLayer | null = null;
  private readonly heat = new HeatCanvas(new OverlayGrid());
  private overlay: L.SVGOverlay | null = null;
  private drawn: Frame | null = null;
  private request = 0;

  constructor(data: readonly HeatLatLng[] | ServerLayer = [], options: HeatLayerOptions = {}) {
    super();
    L.setOptions(this, options);
    this.read(data);
  }

  override onAdd(): this {
    if (this.source) this.showTiles();
    else this.redraw();
    return this;
  }

  override onRemove(): this {
    cancelAnimationFrame(this.request);
    this.request = 0;
    this.overlay?.remove();
    this.tiles?.remove();
    this.overlay = this.tiles = this.drawn = null;
    return this;
  }

  override getEvents(): Record<string, L.LeafletEventHandlerFn> {
    return { moveend: () => this.redraw(), move: () => this.moved() };
  }

  /** Replaces the points, or shows a layer of a server. */
  setLatLngs(data: readonly HeatLatLng[] | ServerLayer): this {
    this.read(data);
    if (!this._map) return this;
    if (this.source) this.overlay?.remove();
    this.overlay = this.source ? null : this.overlay;
    this.tiles?.remove();
    this.tiles = null;
    return this.onAdd();
  }

  /** Adds a point. */
  addLatLng(point: HeatLatLng): this {
    this.latLngs.push(point);
    if (this.points) add(this.points, point, this.latLngs.length - 1);
    return this.redraw();
  }

  /** Changes options. */
  setOptions(options: HeatLayerOptions): this {
    L.setOptions(this, options);
    this.tiles?.setStyle(this.styleOf());
    return this.redraw();
  }

  /** Draws the heat again with the next frame of the screen, also after the array of points was changed. */
  redraw(): this {
    this.drawn = null;
    if (this._map && !this.source) this.request ||= requestAnimationFrame(() => this.draw());
    return this;
  }

  private get settings(): HeatLayerOptions {
    return this.options as HeatLayerOptions;
  }

  /** The array stays that of the page, as with Leaflet.heat. */
  private read(data: readonly HeatLatLng[] | ServerLayer): void {
    this.source = isServerLayer(data) ? data : null;
    this.latLngs = isServerLayer(data) ? [] : (data as HeatLatLng[]);
    this.points = null;
    this.pointsOf();
  }

  /** The points of the array, which are read again if its length has changed. */
  private pointsOf(): Points {
    if (this.points?.length === this.latLngs.length) return this.points;
    const points = new Points(this.latLngs.length);
    for (const [i, point] of this.latLngs.entries()) add(points, point, i);
    return (this.points = points);
  }

  private moved(): void {
    if (this.drawn && !covers(this.drawn, frameOf(this._map, 0))) this.request ||= requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.request = 0;
    const map = this._map;
    if (!map || this.source) return;
    const frame = frameOf(map, MARGIN);
    const { minOpacity = 0.05, max = 1, radius = 25, blur = 15, gradient = GRADIENT } = this.settings;
    const maxZoom = this.settings.maxZoom ?? map.getMaxZoom();
    const halvings = Math.min(Math.max(maxZoom - map.getZoom(), 0), MAX_HALVINGS);
    const factor = 1 / (max * 2 ** halvings);
    const size = radius + blur;
    const merged = mergePoints(this.pointsOf(), frame, size / 2, 1.5 * size, (sum) => Math.min(Math.max(sum * factor, minOpacity), 1));
    const palette = paletteOf(stopsOf(gradient), (share) => share);
    this.heat.grid.compute([{ points: merged, radius: size, profile: shadowOf(radius, blur) }], { ...frame, scale: 1, period: 0 });
    this.heat.draw(frame, { palette, max: 1 });
    this.place(frame);
  }

  /** Puts the canvas at its bounds, from where Leaflet moves and scales it. */
  private place(frame: Frame): void {
    const map = this._map;
    const corner = (x: number, y: number) => map.unproject([x, y]);
    const bounds = L.latLngBounds(corner(frame.left, frame.top + frame.height), corner(frame.left + frame.width, frame.top));
    this.drawn = frame;
    if (this.overlay) {
      this.overlay.setBounds(bounds);
      return;
    }
    const pane = this.options.pane ?? 'overlayPane';
    // Any element can be an overlay; the types name the usual one.
    this.overlay = L.svgOverlay(this.heat.element as unknown as SVGElement, bounds, { pane, interactive: false }).addTo(map);
  }

  private showTiles(): void {
    const { layer, url = '.' } = this.source!;
    this.tiles = new KilnTileLayer(url, layer, this.styleOf(), { pane: this.settings.pane ?? 'overlayPane' });
    this.tiles.on('error tileerror load', (event) => this.fire(event.type, event));
    this.tiles.addTo(this._map);
  }

  /** The style that the options mean. That of the data precedes. */
  private styleOf(): HeatStyle {
    const { radius = 25, blur = 15, gradient } = this.settings;
    const style = this.source ? styleOf(this.source) : {};
    const access = this.source ? Object.fromEntries(new URLSearchParams(accessOf(this.source))) : {};
    const colors = gradient ? { gradient: ['transparent', ...stopsOf(gradient).map(([share, color]) => `${color} ${100 * share}%`)].join(',') } : { scheme: 'leaflet' };
    return { kernel: 'quartic', radius: radius + blur, ...(style.scheme || style.gradient ? {} : colors), ...access, ...style } as HeatStyle;
  }
}

/** Adds a point of the page. */
function add(points: Points, point: HeatLatLng, index: number): void {
  const array = Array.isArray(point) ? (point as readonly number[]) : null;
  const { lat, lng, alt } = (array ? { lat: array[0], lng: array[1], alt: array[2] } : point) as { lat: number; lng: number; alt?: number };
  const weight = alt === undefined ? 1 : Number(alt);
  if (!Number.isFinite(Number(lat)) || !Number.isFinite(Number(lng)) || Number.isNaN(weight)) {
    throw new TypeError(`L.heatLayer: point ${index} is ${JSON.stringify(point)}; expected [latitude, longitude, intensity], or in place of the array a layer of a server, { layer, url }`);
  }
  points.addLatLng(Number(lat), Number(lng), weight);
}

/** The view and a margin, in pixels of the world at the zoom. */
function frameOf(map: L.Map, margin: number): Frame {
  const { min, max } = map.getPixelBounds();
  const [width, height] = [max!.x - min!.x, max!.y - min!.y];
  const [dx, dy] = [Math.ceil(margin * width), Math.ceil(margin * height)];
  const scale = 256 * 2 ** map.getZoom();
  return { scale, left: min!.x - dx, top: min!.y - dy, width: width + 2 * dx, height: height + 2 * dy, period: scale };
}

/** Whether a picture covers a view of the same zoom. */
const covers = (picture: Frame, view: Frame) =>
  picture.scale !== view.scale ||
  (view.left >= picture.left && view.top >= picture.top && view.left + view.width <= picture.left + picture.width && view.top + view.height <= picture.top + picture.height);
