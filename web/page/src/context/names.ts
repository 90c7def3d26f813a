import L from 'leaflet';

import { drawLabels, layOut, loadPlaces, PLACES_ATTRIBUTION, type Label, type Place } from './places.js';

/** The margin around the view that is drawn too, as a fraction of the view, so that a short drag shows no edge. */
const PADDING = 0.25;

/** Names of places above the heat map, on one canvas. */
export class Names extends L.Layer {
  private readonly canvas = L.DomUtil.create('canvas', 'names leaflet-zoom-animated');
  private places: Place[] = [];
  private readonly labels = new Map<number, Label[]>();
  /** The center of the view and the zoom for which the canvas was drawn, and the offset of its corner from the center in pixels. */
  private drawn: { center: L.LatLng; offset: L.Point; zoom: number } | null = null;

  constructor(pane: string) {
    super();
    L.setOptions(this, { pane, attribution: PLACES_ATTRIBUTION });
    this.canvas.setAttribute('aria-hidden', 'true');
  }

  /** Loads the places and draws their names. */
  async load(): Promise<void> {
    this.places = await loadPlaces();
    this.labels.clear();
    this.redraw();
  }

  override getEvents(): Record<string, L.LeafletEventHandlerFn> {
    return {
      moveend: () => this.redraw(),
      viewreset: () => this.redraw(),
      resize: () => this.redraw(),
      zoomanim: (event) => this.scale((event as L.ZoomAnimEvent).zoom, (event as L.ZoomAnimEvent).center),
    };
  }

  override onAdd(): this {
    this.getPane()?.append(this.canvas);
    this.redraw();
    return this;
  }

  override onRemove(): this {
    this.canvas.remove();
    return this;
  }

  redraw(): this {
    const { _map: map, canvas } = this;
    const context = canvas.getContext('2d');
    if (!map || !context || !this.places.length) return this;
    const zoom = map.getZoom();
    const size = map.getSize();
    const pad = size.multiplyBy(PADDING).round();
    const [width, height] = [size.x + 2 * pad.x, size.y + 2 * pad.y];
    const ratio = Math.min(Math.max(devicePixelRatio, 1), 2);
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
    const corner = map.containerPointToLayerPoint(pad.multiplyBy(-1));
    L.DomUtil.setTransform(canvas, corner, 1);
    // The corner itself may be beyond the poles, and has no location.
    this.drawn = { center: map.getCenter(), offset: size.divideBy(-2).subtract(pad), zoom };
    const world = 256 * 2 ** zoom;
    const pixel = map.getPixelOrigin().add(corner).divideBy(world);
    let labels = this.labels.get(zoom);
    if (!labels) this.labels.set(zoom, (labels = layOut(this.places, zoom, context)));
    context.scale(ratio, ratio);
    canvas.dataset['count'] = String(drawLabels(context, labels, { left: pixel.x, top: pixel.y, width, height, world }));
    return this;
  }

  /** Scales the drawn names during the animation of a zoom. */
  private scale(zoom: number, center: L.LatLng): void {
    if (!this.drawn) return;
    const map = this._map as L.Map & { _latLngToNewLayerPoint(location: L.LatLng, zoom: number, center: L.LatLng): L.Point };
    const scale = map.getZoomScale(zoom, this.drawn.zoom);
    const corner = map._latLngToNewLayerPoint(this.drawn.center, zoom, center).add(this.drawn.offset.multiplyBy(scale));
    L.DomUtil.setTransform(this.canvas, corner, scale);
  }
}

