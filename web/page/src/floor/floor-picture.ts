import L from 'leaflet';
import { KilnTileLayer, type HeatStyle } from 'kiln-leaflet';

import { BASE, fadesIn, type Catalog } from '../catalog.js';
import { showStatus } from '../dom.js';
import { CellPicture } from './cells.js';
import { gridParameters, type Cells } from './grid.js';
import { DIFFERENCE_SCHEME, type Ramp, type Scale } from './ramps.js';
import type { FloorState } from './state.js';

/** Fraction of an opaque scheme's colors over which the heat map fades in. */
const FADE = 0.2;
/** The longer side of a picture by the server, in CSS pixels. */
const PICTURE_PX = 1200;
const PANE = 'heat';

/** The style of the heat map's tiles. */
export function styleOf(state: FloorState, catalog: Catalog): HeatStyle {
  const style: HeatStyle = { scheme: state.scheme, curve: state.curve, opacity: state.opacity / 100, radius: `${state.radius}m` };
  if (!fadesIn(catalog, state.scheme)) style.transparent_low = FADE;
  if (state.space !== null) style.category = [state.space];
  if (state.time) [style.start, style.end] = [new Date(state.time[0]), new Date(state.time[1])];
  return style;
}

/** The picture of a floor: cells drawn by the page, or heat and contours by the server. */
export class FloorPicture {
  private readonly cells: CellPicture;
  private tiles: KilnTileLayer | null = null;
  private overlay: L.ImageOverlay | null = null;

  constructor(
    private readonly map: L.Map,
    private readonly catalog: Catalog,
    /** Called when the picture is on the map, or has failed. */
    private readonly arrived: () => void,
  ) {
    this.cells = new CellPicture(map, PANE);
  }

  /** Shows the picture of a state. `windows` are the windows of time: one, or A and B. */
  show(state: FloorState, cells: Cells, ramp: Ramp, scale: Scale, windows: ([number, number] | null)[], bounds: L.LatLngBounds): void {
    if (state.view === 'cells') {
      this.remove();
      this.cells.show(cells, ramp, scale, state.opacity / 100);
      return this.arrived();
    }
    if (state.view === 'heat' && windows.length === 1) this.showTiles(state);
    else if (cells.values.size) this.showPicture(state, windows, bounds);
    else {
      this.remove();
      this.arrived();
    }
  }

  remove(): void {
    this.cells.remove();
    this.tiles?.remove();
    this.overlay?.remove();
    this.tiles = this.overlay = null;
  }

  private showTiles(state: FloorState): void {
    this.cells.remove();
    this.overlay?.remove();
    this.overlay = null;
    const style = styleOf(state, this.catalog);
    if (this.tiles) return void this.tiles.setStyle(style);
    this.tiles = new KilnTileLayer(BASE, state.layer, style, { pane: PANE, className: 'heat', updateWhenIdle: false, minZoom: -30 });
    this.tiles.on('load', this.arrived);
    this.tiles.on('tileerror', () => this.failed('Some tiles failed to load.'));
    this.tiles.on('error', (event) => this.failed((event as unknown as { error: Error }).error.message));
    this.tiles.addTo(this.map);
  }

  /** Shows a picture by the server. The one before stays until it has loaded. */
  private showPicture(state: FloorState, [first, second]: ([number, number] | null)[], bounds: L.LatLngBounds): void {
    const parameters = gridParameters(state, second ?? first ?? null);
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const scale = (PICTURE_PX / Math.max(east - west, north - south)) * Math.min(devicePixelRatio, 2);
    const style = {
      format: 'png',
      picture: state.view,
      scheme: second ? DIFFERENCE_SCHEME : state.scheme,
      opacity: second ? 'value' : String(state.opacity / 100),
      radius: `${state.radius}m`,
      bounds: [west, south, east, north].join(','),
      rooms: 'false',
      size: `${Math.round((east - west) * scale)}x${Math.round((north - south) * scale)}`,
    };
    for (const [name, value] of Object.entries(style)) parameters.set(name, value);
    if (second && first) parameters.set('compare', first.map((time) => new Date(time).toISOString()).join('/'));
    else {
      parameters.set('curve', state.curve);
      if (!fadesIn(this.catalog, state.scheme)) parameters.set('transparent_low', String(FADE));
    }
    const url = `${BASE}/${state.layer}/grid?${parameters}`;
    const next = L.imageOverlay(url, bounds, { pane: PANE, className: 'picture', alt: '' });
    const old = this.overlay;
    this.overlay = next;
    const done = () => {
      old?.remove();
      if (next !== this.overlay) return void next.remove();
      this.cells.remove();
      this.tiles?.remove();
      this.tiles = null;
      this.arrived();
    };
    next.on('load', done);
    next.on('error', () => {
      done();
      this.failed('The picture failed to load.');
    });
    next.addTo(this.map);
  }

  private failed(message: string): void {
    showStatus(message, true);
    this.arrived();
  }
}
