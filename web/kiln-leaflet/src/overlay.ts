import L from 'leaflet';

import { urlOf, request, tileJson, type TileJson } from '../../kiln-client/src/client.js';
import { HeatLayer } from './heat-layer.js';
import { parametersOf, type HeatStyle } from '../../kiln-client/src/style.js';

/** Options of an overlay. */
export interface OverlayOptions extends L.ImageOverlayOptions {
  /** Margin around the view that is rendered too, as a fraction of the view, so that a short drag shows no edge. Default: 0.2. */
  padding?: number;
  /** Delay between the last movement of the map and the request, in milliseconds. Default: 80. */
  debounceMs?: number;
  /** Maximum width and height in pixels. Default: 4096. */
  maxPixels?: number;
}

/** The bounds of a picture, its size in CSS pixels, and its device pixels per CSS pixel. */
interface Frame {
  bounds: L.LatLngBounds;
  /** The number of copies of a picture of the whole world to the west and to the east, where the view is wider. */
  copies: number;
  width: number;
  height: number;
  ratio: 1 | 2;
}

/**
 * One picture of the view, requested again whenever the map has moved. A loaded picture replaces the old one at once; outdated
 * requests are cancelled. Where the view is wider than the world, the picture is repeated. Fires `loading`, `load` and `error`.
 */
export class KilnOverlay extends HeatLayer {
  /** The picture on the map, and its copies. */
  private current: L.ImageOverlay[] = [];
  private metadata: Promise<TileJson> | null = null;
  private loaded: TileJson | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(base: string, name: string, style: HeatStyle = {}, options: OverlayOptions = {}) {
    super(base, name, style, options);
  }

  override onAdd(map: L.Map): this {
    map.on('moveend', this.refreshLater, this);
    this.refresh();
    return this;
  }

  override onRemove(map: L.Map): this {
    map.off('moveend', this.refreshLater, this);
    clearTimeout(this.timer);
    this.pending?.abort();
    for (const picture of this.current) picture.remove();
    this.current = [];
    return this;
  }

  override setStyle(style: HeatStyle, name?: string): this {
    this.metadata = null;
    return super.setStyle(style, name);
  }

  override tileJson(): TileJson | null {
    return this.loaded;
  }

  /** The picture on the map, or null. */
  picture(): L.ImageOverlay | null {
    return this.current[0] ?? null;
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

  private refreshLater(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), this.settings.debounceMs ?? 80);
  }

  private async load(frame: Frame, signal: AbortSignal): Promise<void> {
    this.metadata ??= tileJson(this.base, this.name, this.style).catch((error: unknown) => {
      this.metadata = null;
      throw error;
    });
    const parameters = parametersOf(this.style);
    parameters.set('projection', this._map.options.crs === L.CRS.EPSG4326 ? 'platecarree' : 'mercator');
    const { bounds, copies, width, height, ratio } = frame;
    const edges = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const name = `${width}x${height}${ratio === 2 ? '@2x' : ''}.png`;
    const path = `${this.name}/bbox/${edges.map((edge) => Number(edge.toFixed(7))).join(',')}/${name}`;
    const [metadata, response] = await Promise.all([this.metadata, request(urlOf(this.base, path, parameters), { signal })]);
    if (signal.aborted) return;
    this.loaded = metadata;
    const url = URL.createObjectURL(await response.blob());
    const images = Array.from({ length: 1 + 2 * copies }, () => {
      const image = new Image();
      image.alt = '';
      image.src = url;
      return image;
    });
    try {
      await Promise.all(images.map((image) => image.decode())); // so that they are painted as soon as they are added to the map
      if (!signal.aborted) this.show(images, bounds);
    } finally {
      // A decoded picture does not need its URL any more.
      URL.revokeObjectURL(url);
    }
  }

  /** Replaces the picture on the map by a new one and its copies. */
  private show(images: HTMLImageElement[], bounds: L.LatLngBounds): void {
    const attribution = this.loaded?.attribution ?? '';
    const shown = images.map((image, i) => {
      // 0, 1, −1, 2, −2, …
      const turn = 360 * Math.ceil(i / 2) * (i % 2 ? 1 : -1);
      const [southWest, northEast] = [bounds.getSouthWest(), bounds.getNorthEast()];
      const copy = L.latLngBounds([southWest.lat, southWest.lng + turn], [northEast.lat, northEast.lng + turn]);
      // Leaflet accepts an image element, which its types do not declare.
      return L.imageOverlay(image as unknown as string, copy, { attribution, ...(this.options as L.ImageOverlayOptions) });
    });
    for (const picture of shown) picture.addTo(this._map);
    for (const picture of this.current) picture.remove();
    this.current = shown;
    this.fire('load');
  }

  /** The frame of a picture of the view, at most one world wide. Null if the view is outside the world. */
  private frame(): Frame | null {
    const map = this._map;
    const zoom = map.getZoom();
    const view = map.getPixelBounds();
    const size = view.getSize();
    const { padding = 0.2, maxPixels = 4096 } = this.settings;
    const pole = map.options.crs === L.CRS.EPSG4326 ? 90 : 85.0511287798;
    const [top, bottom] = [map.project([pole, 0], zoom).y, map.project([-pole, 0], zoom).y];
    const world = map.project([0, 180], zoom).x - map.project([0, -180], zoom).x;
    const needed = size.x * (1 + 2 * padding);
    const isWorld = needed >= world;
    const width = Math.round(isWorld ? world : needed);
    const left = Math.round((view.min!.x + view.max!.x - width) / 2);
    const high = Math.round(Math.max(view.min!.y - padding * size.y, top));
    const low = Math.round(Math.min(view.max!.y + padding * size.y, bottom));
    if (low - high < 1 || width < 1) return null;
    const corners = [map.unproject([left, low], zoom), map.unproject([left + width, high], zoom)] as const;
    const clamped = (lat: number) => Math.min(Math.max(lat, -pole), pole);
    const bounds = L.latLngBounds(
      [clamped(corners[0].lat), corners[0].lng],
      // Exactly 360°, so that copies adjoin.
      [clamped(corners[1].lat), isWorld ? corners[0].lng + 360 : corners[1].lng],
    );
    const copies = isWorld ? Math.ceil((needed / world - 1) / 2) : 0;
    const ratio = devicePixelRatio > 1 && 2 * Math.max(width, low - high) <= maxPixels ? 2 : 1;
    return { bounds, copies, width, height: low - high, ratio };
  }
}
