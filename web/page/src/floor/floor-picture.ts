import L from 'leaflet';
import { KilnTileLayer, request, type HeatStyle } from 'kiln-leaflet';

import { BASE, fadesIn, type Catalog } from '../catalog.js';
import type { Failures } from '../failures.js';
import { TileFailures } from '../tile-failures.js';
import { partParameters } from '../time-parts.js';
import { CellPicture } from './cells.js';
import { gridParameters, type Cells } from './grid.js';
import { colorAt, type Ramp, type Scale } from './ramps.js';
import type { FloorState } from './state.js';

/** Fraction of an opaque scheme's colors over which the heat map fades in. */
const FADE = 0.2;
/** The longer side of a picture by the server, in CSS pixels. */
const PICTURE_PX = 1200;
/** Pixels of a picture of contours per CSS pixel: the lines of the server are 1.8 pixels wide. */
const LINE_SCALE = 0.75;
const MIN_LINES_PX = 300;
const GRADIENT_COLORS = 17;
const PANE = 'heat';

type Window = [number, number] | null;

/** The value of the last color of a picture, and its unit. */
export interface Span {
  max: number;
  unit: string;
}

/** Some colors of a ramp, as a gradient of the server. */
function hexOf(ramp: Ramp): string[] {
  const hex = (part: number) => Math.round(part).toString(16).padStart(2, '0');
  return Array.from({ length: GRADIENT_COLORS }, (_, i) => `#${colorAt(ramp, i / (GRADIENT_COLORS - 1)).map(hex).join('')}`);
}

/** The style of the heat map's tiles. */
export function styleOf(state: FloorState, catalog: Catalog): HeatStyle {
  const style: HeatStyle = { scheme: state.scheme, curve: state.curve, opacity: state.opacity / 100, radius: `${state.radius}m` };
  if (!fadesIn(catalog, state.scheme)) style.transparent_low = FADE;
  if (state.space) style.category = [state.space];
  if (state.time) [style.start, style.end] = [new Date(state.time[0]), new Date(state.time[1])];
  return Object.assign(style, partParameters(state, state.zone));
}

/** The picture of a floor: cells drawn by the page, or heat and contours by the server. */
export class FloorPicture {
  private readonly cells: CellPicture;
  private tiles: KilnTileLayer | null = null;
  private overlay: L.ImageOverlay | null = null;
  private readonly tileFailures: TileFailures;

  constructor(
    private readonly map: L.Map,
    private readonly catalog: Catalog,
    /** Called when the picture is on the map, or has failed. */
    private readonly arrived: () => void,
    private readonly failures: Failures,
    /** Called when tiles have failed. */
    reported: () => void,
  ) {
    this.tileFailures = new TileFailures(() => this.tiles, failures, 'tiles', reported);
    this.cells = new CellPicture(map, PANE);
  }

  /**
   * Shows the picture of a state. `windows` are the windows of time: one, or A and B. Resolves with the values of the first and
   * the last color if the server has drawn a picture, and otherwise with null.
   */
  async show(state: FloorState, cells: Cells, ramp: Ramp, scale: Scale, windows: Window[], bounds: L.LatLngBounds, signal: AbortSignal): Promise<Span | null> {
    if (state.view === 'heat' && windows.length === 1) {
      this.showTiles(state);
      return null;
    }
    const isDrawnHere = state.view === 'cells' || !cells.values.size;
    const span = isDrawnHere ? null : await this.showPicture(state, ramp, scale, windows, bounds, signal);
    if (signal.aborted) return null;
    if (isDrawnHere) {
      this.remove();
      this.cells.show(cells, ramp, scale, state.opacity / 100);
    }
    this.arrived();
    return span;
  }

  remove(): void {
    this.cells.remove();
    this.tiles?.remove();
    this.overlay?.remove();
    this.tiles = this.overlay = null;
    this.failures.clear('tiles');
  }

  private showTiles(state: FloorState): void {
    this.cells.remove();
    this.overlay?.remove();
    this.overlay = null;
    const style = styleOf(state, this.catalog);
    if (this.tiles) return void this.tiles.setStyle(style);
    this.tiles = new KilnTileLayer(BASE, state.layer, style, { pane: PANE, className: 'heat', updateWhenIdle: false, minZoom: -30 });
    this.tiles.on('load', () => {
      this.tileFailures.clearIfComplete();
      this.arrived();
    });
    this.tiles.on('tileerror', this.tileFailures.report);
    this.tiles.on('error', (event) => {
      const { message } = (event as unknown as { error: Error }).error;
      this.failures.set('tiles', { title: 'The heat map failed to load', reason: message, retry: () => this.tiles?.retry() });
      this.arrived();
    });
    this.tiles.addTo(this.map);
  }

  /** Shows a picture by the server. The one before stays until it has loaded. */
  private async showPicture(state: FloorState, ramp: Ramp, scale: Scale, windows: Window[], bounds: L.LatLngBounds, signal: AbortSignal): Promise<Span | null> {
    const url = `${BASE}/${state.layer}/grid?${this.pictureParameters(state, ramp, scale, windows, bounds)}`;
    const response = await request(url, { signal });
    const picture = URL.createObjectURL(await response.blob());
    if (signal.aborted) {
      URL.revokeObjectURL(picture);
      return null;
    }
    this.remove();
    this.overlay = L.imageOverlay(picture, bounds, { pane: PANE, className: 'picture', alt: '' }).addTo(this.map);
    this.overlay.on('load error remove', () => URL.revokeObjectURL(picture));
    const found = /^([^,]+),(\S+) (.+)$/.exec(response.headers.get('kiln-span') ?? '');
    return found && { max: Number(found[2]), unit: found[3]!.replace('m2', 'm²') };
  }

  private pictureParameters(state: FloorState, ramp: Ramp, colors: Scale, [first, second]: Window[], bounds: L.LatLngBounds): URLSearchParams {
    const parameters = gridParameters(state, second ?? first ?? null);
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const side = Math.max(east - west, north - south);
    const isLines = state.view === 'contours';
    const onScreen = this.map.getZoomScale(this.map.getZoom(), 0) * side * LINE_SCALE;
    const pixels = isLines ? Math.min(Math.max(onScreen, MIN_LINES_PX), 2 * PICTURE_PX) : PICTURE_PX * Math.min(devicePixelRatio, 2);
    const scale = pixels / side;
    parameters.set('format', 'png');
    parameters.set('picture', state.view);
    parameters.set('opacity', String(state.opacity / 100));
    parameters.set('radius', `${state.radius}m`);
    parameters.set('bounds', [west, south, east, north].join(','));
    parameters.set('size', `${Math.max(1, Math.round((east - west) * scale))}x${Math.max(1, Math.round((north - south) * scale))}`);
    if (first && second) {
      parameters.set('compare', first.map((time) => new Date(time).toISOString()).join('/'));
      parameters.set('gradient', hexOf(ramp).join(','));
      // A few cells would take all lines, up to the maximum.
      if (isLines) parameters.set('vmax', String(colors.max / state.cell ** 2));
    } else {
      if (isLines) parameters.set('gradient', hexOf(ramp).join(','));
      else parameters.set('scheme', state.scheme);
      parameters.set('curve', state.curve);
    }
    return parameters;
  }
}
