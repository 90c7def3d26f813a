import L from 'leaflet';
import { fetchJson, amountOf, kiln, type KilnLegend, type KilnValue } from 'kiln-leaflet';

import { BASE, isPlane, layerOf, onGlobe, openLayer, type Catalog, type LayerEntry, type Statistics } from './catalog.js';
import { Swipe } from './compare.js';
import { byId, debounced, showStatus } from './dom.js';
import { Heat } from './heat.js';
import { Histogram } from './histogram.js';
import { Land } from './land.js';
import { Panel } from './panel.js';
import { Snippets } from './snippets.js';
import { read, styleOf, write, type State } from './state.js';
import { between, Times, timeText } from './times.js';

const FIRST_ZOOM = { min: 2, max: 12 };
/** The bounds that are shown without a layer. */
export const WORLD: L.LatLngBoundsLiteral = [[-60, -180], [75, 180]];
const DEBOUNCE_MS = 90;
/** Number of categories in the popup of a click. */
const TOP_CATEGORIES = 5;

const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;

/** Creates the map of the globe. */
export function makeMap(): L.Map {
  const map = L.map('map', {
    worldCopyJump: true,
    minZoom: 1,
    maxZoom: 18,
    zoomAnimation: !reducedMotion,
    inertia: !reducedMotion,
    fadeAnimation: false, // loaded tiles appear at once
    zoomControl: false,
  });
  L.control.zoom({ position: 'topleft' }).addTo(map);
  L.control.scale({ position: 'bottomright', imperial: false }).addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  for (const [name, z] of Object.entries({ land: 150, before: 240, heat: 250 })) map.createPane(name).style.zIndex = String(z);
  return map;
}

/** Fits the map to the bounds of a layer, apart from the panel, at zoom 2 or higher. */
export function fit(map: L.Map, bounds: L.LatLngBoundsLiteral): void {
  const box = L.latLngBounds(bounds);
  const covered = innerWidth < 700 ? 0 : byId('panel').offsetWidth + 20;
  const fitting = map.getBoundsZoom(box.pad(0.05), false, L.point(covered, 0));
  const zoom = Math.min(Math.max(fitting, FIRST_ZOOM.min), FIRST_ZOOM.max);
  const center = map.project(box.getSouthWest(), zoom).add(map.project(box.getNorthEast(), zoom)).divideBy(2);
  map.setView(map.unproject(center.add([covered / 2, 0]), zoom), zoom, { animate: false });
}

/** Adds the basemap: that of the configuration, or outlines of land. */
export function basemap(map: L.Map, { page }: Catalog): { redraw(): unknown } {
  if (page?.basemap) {
    const attribution = page.attribution ?? '';
    return L.tileLayer(page.basemap, { pane: 'land', attribution, maxZoom: 18, className: 'basemap' }).addTo(map);
  }
  const land = new Land('land').addTo(map);
  land.load().catch((error: Error) => showStatus(error.message, true));
  return land;
}

/** The map page of layers in geographic coordinates. */
export class GlobePage {
  private state: State;
  private readonly layers: LayerEntry[];
  private readonly heat: Heat;
  private before: { heat: Heat; legend: KilnLegend } | null = null;
  private readonly legend: KilnLegend;
  private readonly values: KilnValue;
  private readonly histogram: Histogram;
  private readonly panel: Panel;
  private readonly times: Times;
  private readonly snippets: Snippets;
  private readonly swipe: Swipe;
  private loaded: { layer: string; statistics: Statistics } | null = null;

  constructor(private readonly map: L.Map, private readonly catalog: Catalog) {
    this.layers = onGlobe(catalog);
    const { state, placed } = read(location.hash.slice(1), catalog, this.layers);
    this.state = state;
    this.times = new Times((window) => this.change({ ...this.state, time: window }, 'time'));
    this.place(placed);

    this.heat = new Heat(map, catalog, state, 'heat', true);
    this.heat.whenShown(() => this.times.arrived());
    this.legend = kiln.legend(this.heat.source).addTo(map);
    this.histogram = new Histogram(this.legend);
    this.values = kiln.value(map, this.heat.source, { hover: matchMedia('(hover: hover)').matches });
    this.heat.onSource = (source) => {
      this.legend.setSource(source);
      this.values.setSource(source);
    };
    this.legend.onLegend(({ colors }) => {
      byId('ramp').style.background = `linear-gradient(to right, ${colors.join(', ')})`;
      if (!this.times.isPlaying) void this.histogram.show(this.state.layer, this.heat.source.heatStyle(), map.getZoom());
    });
    this.values.onValue((event) => {
      byId('under').hidden = event?.by !== 'hover';
      if (event?.by === 'hover') byId('under').textContent = amountOf(event.value);
    });

    const span = () => {
      const shown = this.legend.legend()?.span;
      return shown ? ([shown.vmin, shown.vmax] as [number, number]) : null;
    };
    this.panel = new Panel(catalog, state, (next, what) => this.change(next, what), span);
    this.snippets = new Snippets(map);
    this.swipe = new Swipe(map, map.getPane('before')!, map.getPane('heat')!, (percent) => {
      this.state.swipe = percent;
      this.remember();
    });
    this.listen();
  }

  /** Shows the state of the URL. */
  async start(): Promise<void> {
    this.panel.show(this.state);
    this.remember();
    const shown = this.refresh();
    void this.loadStatistics();
    await shown;
  }

  private place(placed: boolean): void {
    const { lat, lng, zoom } = this.state;
    if (placed) this.map.setView([lat, lng], zoom, { animate: false });
    else fit(this.map, this.layer?.bounds ?? WORLD);
    this.placed();
  }

  /** Stores the position of the map in the state. */
  private placed(): void {
    const { lat, lng } = this.map.getCenter().wrap();
    Object.assign(this.state, { zoom: this.map.getZoom(), lat, lng });
  }

  private get layer(): LayerEntry | undefined {
    return this.layers.find(({ name }) => name === this.state.layer);
  }

  private listen(): void {
    const later = debounced(() => void this.heat.moved(), DEBOUNCE_MS);
    this.map.on('moveend', () => {
      this.placed();
      this.remember();
      later();
    });
    addEventListener('hashchange', () => {
      const layer = layerOf(location.hash.slice(1), this.catalog);
      if (layer && isPlane(layer)) return location.reload();
      const { state, placed } = read(location.hash.slice(1), this.catalog, this.layers);
      if (write(state, this.layer) === write(this.state, this.layer)) return;
      const place = { zoom: this.state.zoom, lat: this.state.lat, lng: this.state.lng };
      const isOther = state.layer !== this.state.layer;
      this.state = placed ? state : { ...state, ...place };
      this.place(placed || !isOther);
      this.panel.show(this.state);
      if (isOther) void this.loadStatistics();
      else this.updateTimes();
      void this.refresh();
    });
  }

  private readonly refreshSoon = debounced(() => void this.refresh(), DEBOUNCE_MS);

  private change(state: State, what: string): void {
    if (what === 'layer' && !this.layers.some(({ name }) => name === state.layer)) return openLayer(state.layer);
    if (what === 'compare') state.before = state.before === null ? null : write({ ...this.state, before: null }, this.layer);
    this.state = state;
    this.panel.show(state);
    if (what === 'layer') {
      const bounds = this.layer?.bounds;
      if (bounds && !this.map.getBounds().intersects(bounds)) fit(this.map, bounds);
      this.map.closePopup();
      void this.loadStatistics();
    }
    this.remember();
    if (what === 'time') void this.refresh();
    else this.refreshSoon();
  }

  private async refresh(): Promise<void> {
    const { state } = this;
    if (!state.layer) return showStatus('The server has no layers.', true);
    document.title = `${this.layer?.title ?? state.layer} - Kiln`;
    this.compare();
    await this.heat.show(state);
  }

  /** Updates the earlier view of a comparison. */
  private compare(): void {
    const { before } = this.state;
    if (before === null) {
      this.before?.legend.remove();
      this.before?.heat.remove();
      this.before = null;
      return this.swipe.show(null);
    }
    const was = read(before, this.catalog, this.layers).state;
    if (!this.before) {
      const heat = new Heat(this.map, this.catalog, was, 'before', false);
      const legend = kiln.legend(heat.source, { title: 'Before' }).addTo(this.map);
      heat.onSource = (source) => legend.setSource(source);
      this.before = { heat, legend };
    }
    void this.before.heat.show(was);
    this.swipe.show(this.state.swipe, [this.nameOf(was), this.nameOf(this.state)]);
  }

  /** A short description of a state. */
  private nameOf({ layer, time, scheme, categories }: State): string {
    const title = this.layers.find(({ name }) => name === layer)?.title ?? layer;
    const times = time ? between(timeText(time[0], time[1] - time[0]), timeText(time[1], time[1] - time[0])) : '';
    return [title, times, categories.join(', '), times || categories.length ? '' : scheme].filter(Boolean).join(' · ');
  }

  /** Loads the times and categories of the layer. */
  private async loadStatistics(): Promise<void> {
    const { layer } = this.state;
    this.updateTimes();
    this.panel.showCategories(null);
    this.values.setCategories(0);
    try {
      const statistics = await fetchJson<Statistics>(`${BASE}/${layer}/statistics?zoom=0`);
      if (layer !== this.state.layer) return;
      this.loaded = { layer, statistics };
      this.panel.showCategories(statistics.categories ?? null);
      this.values.setCategories(statistics.categories ? TOP_CATEGORIES : 0);
      this.updateTimes();
    } catch (error) {
      showStatus((error as Error).message, true);
    }
  }

  private updateTimes(): void {
    const range = this.loaded?.layer === this.state.layer ? this.loaded.statistics.time : null;
    this.times.setRange(range && [Date.parse(range.start), Date.parse(range.end)], this.state.time);
  }

  /** Writes the state to the URL and to the snippets. */
  private remember(): void {
    history.replaceState(null, '', `#${write(this.state, this.layer)}`);
    this.snippets?.update(this.state.layer, styleOf(this.state, this.catalog));
  }
}
