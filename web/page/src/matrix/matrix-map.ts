import type L from 'leaflet';
import { kiln, KilnTileLayer, type HeatStyle, type KilnLegend } from 'kiln-leaflet';

import { BASE, isPlane, type Catalog, type LayerEntry, type Statistics } from '../catalog.js';
import { byId, debounced } from '../dom.js';
import type { Failures } from '../failures.js';
import { Context } from '../context/context.js';
import { makeMap } from '../globe-map.js';
import { TileFailures } from '../tile-failures.js';

const DEBOUNCE_MS = 250;
const MAX_ZOOM = 12;

/** Whether a layer can be shown on the map of the page. A table without geometry has no bounds. */
export const hasMap = (layer: LayerEntry, { bounds }: Statistics) => !isPlane(layer) && Boolean(bounds);

/** The heat map of the layer next to its matrix. */
export class MatrixMap {
  private readonly map = makeMap();
  private readonly context: Context;
  private tiles: KilnTileLayer | null = null;
  private legend: KilnLegend | null = null;
  private shown = '';
  private readonly tileFailures: TileFailures;
  /** The center and the zoom that the user or the URL has set; a resize keeps them. */
  private position!: L.LatLng;
  private zoom = 0;

  /** `moved` is called with each new position: zoom, latitude and longitude. */
  constructor(catalog: Catalog, private readonly layer: LayerEntry, at: [number, number, number] | null, moved: (at: [number, number, number]) => void, private readonly failures: Failures) {
    this.tileFailures = new TileFailures(() => this.tiles, failures, 'map', () => byId('map').setAttribute('aria-busy', 'false'));
    if (at) this.map.setView([at[1], at[2]], at[0], { animate: false });
    else this.map.fitBounds(layer.bounds, { maxZoom: MAX_ZOOM, animate: false });
    this.context = new Context(this.map, catalog, true);
    this.remember();
    const later = debounced(() => {
      const { lat, lng } = this.position.wrap();
      moved([this.zoom, Number(lat.toFixed(4)), Number(lng.toFixed(4))]);
    }, DEBOUNCE_MS);
    let isResized = false;
    this.map.on('moveend', () => {
      // Pixels are whole: a resize would move the center a little each time.
      if (isResized) return;
      this.remember();
      later();
    });
    new ResizeObserver(() => {
      isResized = true;
      this.map.invalidateSize({ animate: false, pan: false });
      this.map.setView(this.position, this.zoom, { animate: false });
      isResized = false;
    }).observe(byId('map'));
  }

  private remember(): void {
    this.position = this.map.getCenter();
    this.zoom = this.map.getZoom();
  }

  /** Shows the heat map in a style. Null: no point. */
  show(style: HeatStyle | null): void {
    const requested = JSON.stringify(style);
    if (requested === this.shown) return;
    this.shown = requested;
    const busy = (isBusy: boolean) => byId('map').setAttribute('aria-busy', String(isBusy));
    busy(style !== null);
    if (!style) {
      this.tiles?.remove();
      this.legend?.remove();
      this.failures.clear('map');
      return;
    }
    if (!this.tiles) {
      this.tiles = new KilnTileLayer(BASE, this.layer.name, style, { pane: 'heat', className: 'heat', updateWhenIdle: false });
      this.tiles.on('load', () => {
        busy(false);
        this.tileFailures.clearIfComplete();
        this.context.loadNames();
      });
      this.tiles.on('tileerror', this.tileFailures.report);
      this.tiles.on('error', (event) => {
        busy(false);
        const { message } = (event as unknown as { error: Error }).error;
        this.failures.set('map', { title: 'The map failed to load', reason: message, retry: () => this.tiles?.retry() });
      });
      this.legend = kiln.legend(this.tiles);
      kiln.value(this.map, this.tiles);
    } else {
      this.tiles.setStyle(style);
    }
    if (!this.map.hasLayer(this.tiles)) this.tiles.addTo(this.map);
    this.legend?.addTo(this.map);
  }

  /** Updates the map to the theme. */
  redraw(): void {
    this.context.redraw();
  }

  /** The position: zoom, latitude and longitude. */
  moveTo([zoom, lat, lng]: [number, number, number]): void {
    this.map.setView([lat, lng], zoom, { animate: false });
  }

  /** Moves the map to limits of longitude and latitude. Missing ones are those of the layer. */
  moveToBounds({ west, east, south, north }: { west?: number; east?: number; south?: number; north?: number }): void {
    const [[lowest, first], [highest, last]] = this.layer.bounds;
    this.map.fitBounds([[south ?? lowest, west ?? first], [north ?? highest, east ?? last]], { animate: false });
  }

  /** The view as west, south, east and north. Null: the whole world is in the view. */
  view(): string | null {
    const bounds = this.map.getBounds();
    const [south, north] = [Math.max(bounds.getSouth(), -90), Math.min(bounds.getNorth(), 90)];
    let [west, east] = [bounds.getWest(), bounds.getEast()];
    if (east - west >= 360) [west, east] = [-180, 180];
    else {
      // Across the antimeridian, east is less than west.
      const wrapped = (lng: number) => lng - 360 * Math.floor((lng + 180) / 360);
      [west, east] = [wrapped(west), wrapped(east)];
    }
    return [west, south, east, north].map((edge) => Number(edge.toFixed(5))).join(',');
  }
}
