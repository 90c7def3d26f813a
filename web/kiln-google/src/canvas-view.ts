import { HeatCanvas } from '../../kiln-client/src/canvas/heat-canvas.js';
import { DensityGrid } from '../../kiln-client/src/canvas/density.js';
import type { Frame } from '../../kiln-client/src/canvas/grid.js';
import { mercator, type Points } from '../../kiln-client/src/canvas/points.js';
import { colorsOf, RADIUS, radiusAt, sigmaOf } from './options.js';
import type { View, ViewOptions } from './view.js';

/** The part of the view that is drawn around it, so that a short drag shows no edge. */
const MARGIN = 0.25;
/** The delay from the last movement of the map to the picture of the new view, in milliseconds. */
const REST_MS = 120;
/** The size of the world at zoom 0, in CSS pixels. */
const WORLD = 256;

/** A picture on the overlay's pane. */
interface RenderedView {
  frame: Frame;
  zoom: number;
}

/** Points that are drawn in the page, on a canvas in the overlay layer of the map. */
export class CanvasView implements View {
  private readonly heat = new HeatCanvas(new DensityGrid());
  private readonly overlay: google.maps.OverlayView;
  private readonly listeners: google.maps.MapsEventListener[];
  private palette: Uint32Array | null = null;
  private rendered: RenderedView | null = null;
  private request = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly map: google.maps.Map, readonly points: Points, private readonly options: () => ViewOptions) {
    const { element } = this.heat;
    Object.assign(element.style, { position: 'absolute', pointerEvents: 'none', maxWidth: 'none' });
    this.overlay = new google.maps.OverlayView();
    this.overlay.onAdd = () => this.overlay.getPanes()?.overlayLayer.append(element);
    this.overlay.draw = () => this.draw();
    this.overlay.onRemove = () => element.remove();
    this.overlay.setMap(map);
    this.listeners = [map.addListener('bounds_changed', () => this.moved()), map.addListener('idle', () => this.redraw())];
  }

  remove(): void {
    cancelAnimationFrame(this.request);
    clearTimeout(this.timer);
    for (const listener of this.listeners) listener.remove();
    this.overlay.setMap(null);
  }

  changed(option: string): void {
    if (option === 'gradient') this.palette = null;
    this.redraw();
  }

  /** Draws the view again with the next frame of the screen. */
  redraw(): void {
    this.rendered = null;
    this.request ||= requestAnimationFrame(() => this.draw());
  }

  /** After a movement: at once if an edge of the picture is in the view, otherwise when the map rests. */
  private moved(): void {
    this.request ||= requestAnimationFrame(() => this.draw());
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.redraw(), REST_MS);
  }

  private draw(): void {
    cancelAnimationFrame(this.request);
    this.request = 0;
    const view = this.view();
    if (!view) return;
    if (!this.rendered || this.rendered.zoom !== view.zoom || !contains(this.rendered.frame, view.frame)) this.render(view);
    this.place(view);
  }

  /** The visible rectangle of the map, in pixels of the world at the map's zoom. */
  private view(): RenderedView | null {
    const [center, zoom, div] = [this.map.getCenter(), this.map.getZoom(), this.map.getDiv()];
    if (!center || zoom === undefined || !div || !this.overlay.getProjection()) return null;
    const { clientWidth: width, clientHeight: height } = div;
    if (!width || !height) return null;
    const scale = WORLD * 2 ** zoom;
    const [x, y] = mercator(center.lat(), center.lng());
    return { zoom, frame: { scale, left: x * scale - width / 2, top: y * scale - height / 2, width, height, period: scale } };
  }

  private render({ frame, zoom }: RenderedView): void {
    const { radius, dissipating, gradient, maxIntensity, opacity } = this.options();
    const [dx, dy] = [Math.ceil(MARGIN * frame.width), Math.ceil(MARGIN * frame.height)];
    const larger = { ...frame, left: Math.floor(frame.left - dx), top: Math.floor(frame.top - dy), width: frame.width + 2 * dx, height: frame.height + 2 * dy };
    this.palette ??= colorsOf(gradient);
    this.heat.grid.compute(this.points, larger, sigmaOf(radiusAt(radius ?? RADIUS, dissipating, zoom)));
    this.heat.draw(larger, { palette: this.palette, max: maxIntensity }, frame);
    this.heat.element.style.opacity = String(opacity);
    this.rendered = { frame: larger, zoom };
  }

  /** Moves the canvas to its position on the pane. */
  private place(view: RenderedView): void {
    const center = this.map.getCenter();
    const middle = center && this.overlay.getProjection().fromLatLngToDivPixel(center);
    if (!middle || !this.rendered) return;
    const { frame } = this.rendered;
    const left = middle.x - view.frame.width / 2 + nearest(frame.left - view.frame.left, view.frame.period);
    const top = middle.y - view.frame.height / 2 + frame.top - view.frame.top;
    Object.assign(this.heat.element.style, { left: `${left}px`, top: `${top}px` });
  }
}

/** A distance on a plane that repeats: the shortest one. */
const nearest = (distance: number, period: number) => distance - period * Math.round(distance / period);

/** Whether a picture covers a view, on a plane that repeats. */
function contains(picture: Frame, view: Frame): boolean {
  const left = nearest(view.left + view.width / 2 - picture.left - picture.width / 2, view.period) + (picture.width - view.width) / 2;
  const top = view.top - picture.top;
  return left >= 0 && left + view.width <= picture.width && top >= 0 && top + view.height <= picture.height;
}
