import L from 'leaflet';

import { addressOf, request, tileJson, type TileJson } from './client.js';
import { HeatLayer } from './heat-layer.js';
import { parametersOf, type HeatStyle } from './style.js';

/** Options of an overlay. */
export interface OverlayOptions extends L.ImageOverlayOptions {
  /** Share of the view that the picture shows beyond it on each side, so that a short drag shows no edge. Default: 0.2. */
  padding?: number;
  /** How long the map has to stand still before a picture is asked for, in milliseconds. Default: 80. */
  debounceMs?: number;
  /** The most pixels of a side. Default: 4096. */
  maxPixels?: number;
}

/** Which ground a picture shows, in how many pixels of the layout, and how many pixels each of these has. */
interface Frame {
  bounds: L.LatLngBounds;
  width: number;
  height: number;
  ratio: 1 | 2;
}

/**
 * One picture of what is on screen, asked for whenever the map has moved. A new one takes the place of the old at once, and a
 * request that is no longer of use is cancelled. `loading`, `load` and `error` tell of it.
 */
export class KilnOverlay extends HeatLayer {
  private shown: L.ImageOverlay | null = null;
  private told: Promise<TileJson> | null = null;
  private known: TileJson | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(base: string, name: string, style: HeatStyle = {}, options: OverlayOptions = {}) {
    super(base, name, style, options);
  }

  override onAdd(map: L.Map): this {
    map.on('moveend', this.later, this);
    this.refresh();
    return this;
  }

  override onRemove(map: L.Map): this {
    map.off('moveend', this.later, this);
    clearTimeout(this.timer);
    this.underWay?.abort();
    this.shown?.remove();
    this.shown = null;
    return this;
  }

  override setStyle(style: HeatStyle, name?: string): this {
    this.told = null;
    return super.setStyle(style, name);
  }

  override tileJson(): TileJson | null {
    return this.known;
  }

  /** The picture on the map, if there is one. */
  picture(): L.ImageOverlay | null {
    return this.shown;
  }

  override refresh(): void {
    const signal = this.begin();
    const frame = this.frame();
    if (!frame) return;
    this.fire('loading');
    this.load(frame, signal).catch((error: unknown) => this.fail(error, signal));
  }

  private get settings(): OverlayOptions {
    return this.options as OverlayOptions;
  }

  private later(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), this.settings.debounceMs ?? 80);
  }

  private async load(frame: Frame, signal: AbortSignal): Promise<void> {
    // What kilometers mean is the layer's own, as in its tiles: the same legend holds for both.
    this.told ??= tileJson(this.base, this.name, this.style).catch((error: unknown) => {
      this.told = null;
      throw error;
    });
    this.known = await this.told;
    if (signal.aborted) return;
    const parameters = parametersOf(this.style);
    const trueScale = new URLSearchParams(this.known.tiles[0].split('?')[1]).get('true_scale');
    if (trueScale !== null) parameters.set('true_scale', trueScale);
    parameters.set('projection', this._map.options.crs === L.CRS.EPSG4326 ? 'platecarree' : 'mercator');
    const { bounds, width, height, ratio } = frame;
    const edges = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const name = `${width}x${height}${ratio === 2 ? '@2x' : ''}.png`;
    const path = `${this.name}/bbox/${edges.map((edge) => Number(edge.toFixed(7))).join(',')}/${name}`;
    const answer = await request(addressOf(this.base, path, parameters), { signal });
    const url = URL.createObjectURL(await answer.blob());
    const image = new Image();
    image.alt = '';
    image.src = url;
    try {
      await image.decode(); // so that it is painted the moment it enters the map
      if (!signal.aborted) this.show(image, bounds);
    } finally {
      // A decoded picture needs its address no more.
      URL.revokeObjectURL(url);
    }
  }

  private show(image: HTMLImageElement, bounds: L.LatLngBounds): void {
    const attribution = this.known?.attribution ?? '';
    // Leaflet takes an image as well as an address, which its types do not say.
    const next = L.imageOverlay(image as unknown as string, bounds, { attribution, ...(this.options as L.ImageOverlayOptions) });
    next.addTo(this._map);
    this.shown?.remove();
    this.shown = next;
    this.fire('load');
  }

  /** What a picture of the view shows: never more than once around the globe; null where the view shows no ground. */
  private frame(): Frame | null {
    const map = this._map;
    const zoom = map.getZoom();
    const view = map.getPixelBounds();
    const size = view.getSize();
    const { padding = 0.2, maxPixels = 4096 } = this.settings;
    const pole = map.options.crs === L.CRS.EPSG4326 ? 90 : 85.0511287798;
    const [top, bottom] = [map.project([pole, 0], zoom).y, map.project([-pole, 0], zoom).y];
    const world = map.project([0, 180], zoom).x - map.project([0, -180], zoom).x;
    const width = Math.round(Math.min(size.x * (1 + 2 * padding), world));
    const left = Math.round((view.min!.x + view.max!.x - width) / 2);
    const high = Math.round(Math.max(view.min!.y - padding * size.y, top));
    const low = Math.round(Math.min(view.max!.y + padding * size.y, bottom));
    if (low - high < 1 || width < 1) return null;
    const corners = [map.unproject([left, low], zoom), map.unproject([left + width, high], zoom)] as const;
    const clamped = (lat: number) => Math.min(Math.max(lat, -pole), pole);
    const bounds = L.latLngBounds(
      [clamped(corners[0].lat), corners[0].lng],
      [clamped(corners[1].lat), corners[1].lng],
    );
    const ratio = devicePixelRatio > 1 && 2 * Math.max(width, low - high) <= maxPixels ? 2 : 1;
    return { bounds, width, height: low - high, ratio };
  }
}
