import L from 'leaflet';
import { amountOf, describe as valueElement, fetchJson, kiln, type KilnLegend, type KilnValue } from 'kiln-leaflet';

import { BASE, bucketOf, fetchCatalog, layerOf, reportMissingLayer, onGlobe, openLayer, type Catalog, type LayerEntry, type Statistics } from './catalog.js';
import { Area } from './area/area.js';
import { filterOf } from './area/ring.js';
import { nearestText } from './context/nearest.js';
import { loadPlaces } from './context/places.js';
import { Swipe } from './compare.js';
import { Context } from './context/context.js';
import { byId, debounced, showNotice, showStatus } from './dom.js';
import { Failures } from './failures.js';
import { addWholeButton, fit, wholeView, WORLD } from './globe-map.js';
import { Heat } from './heat.js';
import { Histogram } from './histogram.js';
import { reloadPage } from './key.js';
import { Panel } from './panel.js';
import { pixelWidthM } from './dot-size.js';
import { Sheet } from './sheet/sheet.js';
import { Snippets } from './snippets/snippets.js';
import { matrixUrl } from './matrix-link.js';
import { fetchCategories } from './categories/category-list.js';
import { defaultStyle, read, styleOf, write, type State } from './state.js';
import { describe, PARTS } from './time-parts.js';
import { DAY } from './time/frames.js';
import { between, Times, timeText, windowText } from './time/times.js';
import { CrossHair } from './view/cross-hair.js';
import { densestView } from './view/first-view.js';
import { Summary } from './view/summary.js';

const DEBOUNCE_MS = 90;
/** On a change of the layer, the map stays where it is if the view of the layer is at most this many zooms away. */
const SIMILAR_ZOOMS = 2;
/** Number of categories in the popup of a click. */
const TOP_CATEGORIES = 5;

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
  /** Those of the panes `heat` and `before`, and of the statistics. */
  private readonly failures = new Failures(['heat', 'heat-scale', 'before', 'before-scale', 'statistics'], () => this.recovered());
  private readonly area: Area;
  private readonly sheet: Sheet;
  private readonly summary: Summary;
  /** What is around the heat map. Null: not loaded yet. */
  context: Context | null = null;
  /** Whether the URL has a position. */
  private readonly isPlaced: boolean;
  private loaded: { layer: string; statistics: Statistics } | null = null;

  constructor(private readonly map: L.Map, private readonly catalog: Catalog) {
    this.layers = onGlobe(catalog);
    const { state, placed } = read(location.hash.slice(1), catalog, this.layers);
    this.state = state;
    this.isPlaced = placed;
    this.sheet = new Sheet(map, () => this.legend.refresh());
    this.times = new Times((window) => this.change({ ...this.state, time: window }, 'time'));
    this.place(placed);

    this.heat = new Heat(map, catalog, state, 'heat', true, this.failures);
    this.heat.onVersion = (layer, version) => {
      const entry = this.layer;
      if (entry && layer === entry.name && version !== entry.version) void this.update();
    };
    this.heat.whenShown(() => {
      this.times.arrived();
      this.context?.loadNames();
    });
    this.legend = kiln.legend(this.heat.source).addTo(map);
    this.histogram = new Histogram(this.legend);
    this.values = kiln.value(map, this.heat.source, { hover: matchMedia('(hover: hover)').matches, reference: () => this.highest });
    this.heat.onSource = (source) => {
      this.legend.setSource(source);
      this.values.setSource(source);
    };
    this.legend.onLegend(({ colors }) => {
      byId('ramp').style.background = `linear-gradient(to right, ${colors.join(', ')})`;
      if (this.times.isPlaying) this.histogram.hold();
      else void this.histogram.show(this.state.layer, this.heat.source.heatStyle(), map.getZoom());
      if (!this.times.isPlaying) this.summary.updateSoon();
    });
    this.values.onValue((event) => {
      byId('under').hidden = event?.by !== 'hover';
      if (event?.by === 'hover') byId('under').textContent = amountOf(event.value, this.highest);
    });

    const span = () => {
      const shown = this.legend.legend()?.span;
      return shown ? ([shown.vmin, shown.vmax] as [number, number]) : null;
    };
    this.panel = new Panel(catalog, state, (next, what) => this.change(next, what), span);
    this.snippets = new Snippets(map, catalog);
    this.swipe = new Swipe(map, map.getPane('before')!, map.getPane('heat')!, (percent) => {
      this.state.swipe = percent;
      this.remember();
    });
    addWholeButton(map, () => this.layer?.points && fit(map, this.layer.bounds));
    this.area = new Area(
      map,
      (area) => this.change({ ...this.state, area }, 'area'),
      (isDrawing) => (isDrawing ? this.values.disable() : this.values.enable()),
    );
    new CrossHair(
      map,
      (location) => this.readValue(location),
      async (location) => nearestText(await loadPlaces(), location, pixelWidthM(location.lat, map.getZoom())),
    );
    this.summary = new Summary(map, () => this.heat.source, () => this.highest, (location) => void this.readValue(location).catch(() => undefined));
    byId('map-picture').addEventListener('click', () => void this.savePicture());
    this.listen();
  }

  /** Shows the state of the URL. */
  async start(): Promise<void> {
    this.panel.show(this.state);
    void this.loadStatistics();
    this.showArea();
    if (!this.isPlaced && this.state.area) this.area.fit(false);
    else if (!this.isPlaced) await this.showDensest();
    this.remember();
    // The heat map first, since it takes longer.
    const shown = this.refresh();
    this.context = new Context(this.map, this.catalog, this.state.names);
    await shown;
  }

  private place(placed: boolean): void {
    const { lat, lng, zoom } = this.state;
    if (placed) this.map.setView([lat, lng], zoom, { animate: false });
    else fit(this.map, this.layer?.points ? this.layer.bounds : WORLD);
    this.placed();
  }

  /** Moves the map to the densest part of the layer, if that is much smaller than all of it. */
  private async showDensest(): Promise<void> {
    const { layer } = this;
    const { zoom, lat, lng } = this.state;
    const view = layer && (await densestView(this.map, layer, styleOf(this.state, this.catalog)));
    // Not if the user has moved the map.
    const isMoved = this.state.zoom !== zoom || this.state.lat !== lat || this.state.lng !== lng;
    if (!view || layer !== this.layer || isMoved) return;
    this.map.setView(view.center, view.zoom, { animate: false });
    this.placed();
  }

  /** Moves the map to the layer that the visitor has chosen, unless the map shows it at a similar zoom. */
  private async showChosen(): Promise<void> {
    const { layer, map } = this;
    if (!layer?.points) return;
    const { zoom, lat, lng } = this.state;
    const view = (await densestView(map, layer, styleOf(this.state, this.catalog))) ?? wholeView(map, layer.bounds);
    const isMoved = this.state.zoom !== zoom || this.state.lat !== lat || this.state.lng !== lng;
    if (layer !== this.layer || isMoved) return;
    const half = map.getSize().divideBy(2);
    const center = map.project(view.center, view.zoom);
    const box = L.latLngBounds(map.unproject(center.subtract(half), view.zoom), map.unproject(center.add(half), view.zoom));
    if (Math.abs(view.zoom - zoom) <= SIMILAR_ZOOMS && box.intersects(map.getBounds())) return;
    map.setView(view.center, view.zoom, { animate: false });
    this.placed();
  }

  /** Loads the layers again after one has changed, and shows the new facts of the current one. A deleted layer stays as it was. */
  private async update(): Promise<boolean> {
    const was = this.layer?.version;
    const fresh = await fetchCatalog().catch(() => null);
    const entry = fresh && onGlobe(fresh).find(({ name }) => name === this.state.layer);
    if (!fresh || !entry || entry.version === was) return false;
    // Other parts of the page share the object.
    Object.assign(this.catalog, fresh);
    this.layers.splice(0, Infinity, ...onGlobe(fresh));
    this.panel.listLayers();
    this.panel.show(this.state);
    this.heat.reportStatus();
    void this.loadStatistics();
    void this.refresh();
    return true;
  }

  /** Removes categories that the layer does not have from the selection, with a notice. */
  private async dropUnknownCategories(layer: string, known: { names: string[]; total: number } | null): Promise<void> {
    const { categories } = this.state;
    const isUnknown = async (name: string): Promise<boolean> => {
      if (!known || known.names.includes(name)) return !known;
      if (known.names.length >= known.total) return true;
      const { categories, matching } = await fetchCategories(layer, name);
      return categories.length === matching && !categories.some((category) => category.name === name);
    };
    const unknown = await Promise.all(categories.map((name) => isUnknown(name).catch(() => false)));
    if (layer !== this.state.layer || categories !== this.state.categories || !unknown.includes(true)) return;
    const kept = categories.filter((_, i) => !unknown[i]);
    const missing = categories.filter((_, i) => unknown[i]).map((name) => `\`${name}\``);
    showNotice(`There is no category ${missing.join(', ')}; showing ${kept.join(', ') || 'all points'}.`);
    this.change({ ...this.state, categories: kept }, 'categories');
  }

  /** Shows the value at a location, and returns it as text. */
  private async readValue(location: L.LatLng): Promise<string> {
    const value = await this.values.show(location);
    if (!value) return 'No value';
    return [...valueElement(value, this.highest).children].map(({ textContent }) => textContent).join('. ');
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
      later();
      if (this.sheet.isResizing) return;
      this.placed();
      this.remember();
    });
    addEventListener('hashchange', () => {
      const layer = layerOf(location.hash.slice(1), this.catalog);
      reportMissingLayer(layer, this.catalog);
      if (layer && !this.layers.includes(layer)) return reloadPage();
      const { state, placed } = read(location.hash.slice(1), this.catalog, this.layers);
      if (write(state, this.layer, this.catalog) === write(this.state, this.layer, this.catalog)) return;
      const place = { zoom: this.state.zoom, lat: this.state.lat, lng: this.state.lng };
      const isOther = state.layer !== this.state.layer;
      this.state = placed ? state : { ...state, ...place };
      this.place(placed || !isOther);
      if (!placed && isOther) void this.showDensest();
      this.panel.show(this.state);
      if (isOther) void this.loadStatistics();
      else {
        this.updateTimes();
        if (this.loaded?.layer === state.layer) void this.dropUnknownCategories(state.layer, this.loaded.statistics.categories);
      }
      void this.refresh();
    });
  }

  private readonly refreshSoon = debounced(() => void this.refresh(), DEBOUNCE_MS);

  private change(state: State, what: string): void {
    if (what === 'layer' && !this.layers.some(({ name }) => name === state.layer)) return openLayer(state.layer);
    if (what === 'compare') state.before = state.before === null ? null : write({ ...this.state, before: null }, this.layer, this.catalog);
    this.state = state;
    this.panel.show(state);
    if (what === 'layer') {
      void this.showChosen();
      this.map.closePopup();
      void this.loadStatistics();
    }
    this.remember();
    if (what === 'names') return this.context?.show(state.names);
    if (what === 'area') return this.showArea();
    if (what === 'time') void this.refresh();
    else this.refreshSoon();
  }

  private async refresh(): Promise<void> {
    const { state } = this;
    document.body.classList.toggle('no-points', this.layer?.points === 0);
    document.body.classList.toggle('is-damaged', !!this.layer?.damaged);
    document.title = `${this.layer?.title ?? state.layer} - Kiln`;
    this.compare();
    this.context?.show(state.names);
    this.showArea();
    this.updateBars();
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
      const heat = new Heat(this.map, this.catalog, was, 'before', false, this.failures);
      const legend = kiln.legend(heat.source, { title: 'Before' }).addTo(this.map);
      heat.onSource = (source) => legend.setSource(source);
      this.before = { heat, legend };
    }
    void this.before.heat.show(was);
    this.swipe.show(this.state.swipe, [`Before: ${this.nameOf(was)}`, `Now: ${this.nameOf(this.state)}`]);
  }

  /** A short description of a state. */
  private nameOf(state: State): string {
    const { layer, time, scheme, categories } = state;
    const title = this.layers.find(({ name }) => name === layer)?.title ?? layer;
    const times = time ? windowText(time, time[1] - time[0]) : '';
    const parts = PARTS.filter((part) => state[part].length).map((part) => describe(part, state[part]));
    const filters = [times, ...parts, categories.join(', ')].filter(Boolean);
    return [title, ...(filters.length ? filters : [scheme])].join(' · ');
  }

  /** Loads the times and categories of the layer. */
  private async loadStatistics(): Promise<void> {
    const { layer } = this.state;
    this.updateTimes();
    this.panel.showCategories(layer, 0);
    this.panel.showTimes(false, false, false);
    this.values.setCategories(0);
    try {
      const statistics = await fetchJson<Statistics>(`${BASE}/${layer}/statistics?zoom=0`, { cache: 'no-cache' });
      if (layer !== this.state.layer) return;
      this.loaded = { layer, statistics };
      this.panel.showCategories(layer, statistics.categories?.total ?? 0);
      this.panel.showTimes(statistics.time !== null, bucketOf(this.layer) < DAY, (statistics.categories?.names.length ?? 0) > 0);
      this.values.setCategories(statistics.categories ? TOP_CATEGORIES : 0);
      this.updateTimes();
      void this.dropUnknownCategories(layer, statistics.categories);
      this.failures.clear('statistics');
    } catch (error) {
      if (layer !== this.state.layer) return;
      const retry = () => this.loadStatistics();
      this.failures.set('statistics', { title: 'Times and categories failed to load', reason: (error as Error).message, retry });
    }
  }

  /** Loads again what is silently left out after a failure: legends and histograms. */
  private recovered(): void {
    this.heat.reportStatus();
    this.legend.refresh();
    // The layer may have been replaced meanwhile.
    void this.update().then((isOther) => isOther && this.heat.source.refresh());
    this.before?.legend.refresh();
  }

  private updateTimes(): void {
    const range = this.loaded?.layer === this.state.layer ? this.loaded.statistics.time : null;
    const length = range ? Date.parse(range.end) - Date.parse(range.start) : 0;
    byId('when').hidden = !range;
    byId('when').textContent = range ? `Times: ${between(timeText(Date.parse(range.start), length), timeText(Date.parse(range.end), length))} UTC` : '';
    this.times.setRange(range && [Date.parse(range.start), Date.parse(range.end)], this.state.time, bucketOf(this.layer));
    this.updateBars();
  }

  /** The bars of the numbers of points over time. */
  private updateBars(): void {
    if (this.loaded?.layer !== this.state.layer || !this.loaded.statistics.time) return this.times.bars.clear();
    void this.times.bars.load(this.state.layer, this.layer?.version ?? '', filterOf(styleOf(this.state, this.catalog)));
  }

  private showArea(): void {
    this.area.show(this.state.area, this.layer, styleOf(this.state, this.catalog));
  }

  /** The value of the hottest color, which sets the unit of values. */
  private get highest(): number | undefined {
    const span = this.legend.legend()?.span;
    return span ? Math.max(Math.abs(span.vmin), Math.abs(span.vmax)) : undefined;
  }

  /** Downloads the view as a picture with map and legend. */
  private async savePicture(): Promise<void> {
    const button = byId<HTMLButtonElement>('map-picture');
    button.disabled = true;
    try {
      // Loaded on demand: few visitors need it.
      const { mapPicture } = await import('./context/map-picture.js');
      const title = this.layer?.title ?? this.state.layer;
      const isFiltered = this.state.time !== null || this.state.categories.length > 0 || PARTS.some((part) => this.state[part].length);
      const blob = await mapPicture(this.map, {
        layer: this.state.layer,
        title,
        subtitle: isFiltered ? this.nameOf(this.state).slice(title.length).replace(/^ · /, '') : '',
        attribution: [this.layer?.attribution, 'Natural Earth', this.state.names ? 'names: GeoNames (CC BY 4.0)' : ''].filter(Boolean).join(' · '),
        style: this.heat.source.heatStyle(),
        legend: this.legend.legend(),
        hasNames: this.state.names,
      });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = `${this.state.layer}-map.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      showStatus((error as Error).message, true);
    } finally {
      button.disabled = false;
    }
  }

  /** The statistic and the scheme that the visitor has chosen, which the page of the matrix has, too. */
  private matrixLook(): { agg?: string; scheme?: string } {
    const { agg, scheme } = this.state;
    const usual = defaultStyle(this.layer);
    return { ...(this.layer?.weight && agg !== usual.agg ? { agg } : {}), ...(scheme !== usual.scheme ? { scheme } : {}) };
  }

  /** Writes the state to the URL and to the snippets. */
  private remember(): void {
    history.replaceState(null, '', `#${write(this.state, this.layer, this.catalog)}`);
    byId<HTMLAnchorElement>('matrix').href = matrixUrl(this.state, this.matrixLook());
    this.snippets?.update(this.state.layer, this.layer, styleOf(this.state, this.catalog));
  }
}
