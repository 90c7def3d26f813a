import './floor.css';

import L from 'leaflet';
import { fetchJson, KilnError, legendOf } from 'kiln-leaflet';

import { BASE, type Catalog, type LayerEntry, type Statistics } from '../catalog.js';
import { fetchCategories } from '../categories/category-list.js';
import { byId, debounced, make, number, points, showNotice, showStatus } from '../dom.js';
import { Failures } from '../failures.js';
import { reloadPage } from '../key.js';
import { matrixUrl } from '../matrix-link.js';
import { partParameters } from '../time-parts.js';
import { Sheet } from '../sheet/sheet.js';
import { Times } from '../time/times.js';
import { CrossHair } from '../view/cross-hair.js';
import { FloorLegend } from './floor-legend.js';
import { fitFloor, makeFloorMap } from './floor-map.js';
import { FloorPanel } from './floor-panel.js';
import { FloorPicture, styleOf } from './floor-picture.js';
import { cellAt, differenceOf, fetchGrid, type Cells, type Grid } from './grid.js';
import { Plan } from './plan.js';
import { ProfileGrid, type Profile } from './profile.js';
import { amountScale, differenceLineRamp, differenceRamp, differenceScale, lineRamp, percentile, rampOf, type Ramp, type Scale } from './ramps.js';
import { RoomTable } from './rooms.js';
import { read, write, type FloorState } from './state.js';
import { weeksOf, type Week } from './weeks.js';

const DEBOUNCE_MS = 90;
/** The share of cells that the color scale covers. Higher values have the last color. */
const NORMALIZE = 0.99;

/** The data on the map: one window of time, or A, B and B − A. */
type Shown = { grid: Grid; before: null; cells: Cells } | { grid: Grid; before: Grid; cells: Cells };

/** The page of a plane layer. */
export class FloorPage {
  private state: FloorState;
  private placed: boolean;
  private readonly map = makeFloorMap();
  private readonly plan = new Plan(this.map);
  private readonly legend = new FloorLegend().addTo(this.map);
  private readonly failures = new Failures(['statistics', 'grid', 'tiles', 'rooms'], () => this.loaded && this.reportStatus(this.loaded.shown));
  private readonly picture: FloorPicture;
  private readonly sheet: Sheet;
  private readonly panel: FloorPanel;
  private readonly times: Times;
  private readonly rooms: RoomTable;
  private readonly profile = new ProfileGrid();
  private readonly schemes: string[];
  /** The times of the layer. Null: it has none. */
  private range: [number, number] | null = null;
  private weeks: Week[] = [];
  private spaces: string[] = [];
  /** The points of each space that has been shown. */
  private readonly counts = new Map<string, number>();
  private readonly hasRooms: boolean;
  private readonly bounds: L.LatLngBounds;
  private loaded: { key: string; shown: Shown } | null = null;
  private pending: AbortController | null = null;

  constructor(private readonly catalog: Catalog, private readonly layer: LayerEntry, otherLayer: (name: string) => void) {
    document.body.classList.add('floor');
    document.title = `${layer.title} - Kiln`;
    this.schemes = catalog.schemes.flatMap(({ name }) => [name, `${name}_r`]);
    const { state, placed } = read(location.hash.slice(1), layer, this.schemes);
    [this.state, this.placed] = [state, placed];
    this.hasRooms = (layer.rooms ?? 0) > 0;
    this.bounds = L.latLngBounds(layer.bounds);
    const plan = this.plan.showPlan(layer);
    if (plan) this.bounds.extend(plan);
    if (layer.attribution) this.map.attributionControl.addAttribution(make('span', '', layer.attribution).innerHTML);
    this.rooms = new RoomTable((room) => this.plan.emphasize(room));
    this.panel = new FloorPanel(catalog, layer, state, (next, what) => this.change(next, what), otherLayer);
    this.times = new Times((time) => this.change({ ...this.state, time }, 'time'));
    this.picture = new FloorPicture(this.map, catalog, () => this.arrived(), this.failures, () => this.reportFailure());
    this.sheet = new Sheet(this.map);
    new CrossHair(this.map, (location) => this.readValue(location), ({ lat, lng }) => `x ${lng.toFixed(1)} m, y ${lat.toFixed(1)} m`);
    this.place();
    this.listen();
  }

  /** Shows the state of the URL. */
  async start(): Promise<void> {
    this.panel.show(this.state);
    this.busy(true);
    void this.loadRooms();
    await this.loadAndShow();
  }

  private async loadRooms(): Promise<void> {
    try {
      await this.plan.loadRooms(this.layer);
      this.failures.clear('rooms');
    } catch (error) {
      this.failures.set('rooms', { title: 'The rooms failed to load', reason: (error as Error).message, retry: () => this.loadRooms() });
    }
  }

  /** Loads the times and spaces, without which there is nothing to request, and shows the floor. */
  private async loadAndShow(): Promise<void> {
    try {
      await this.loadStatistics();
    } catch (error) {
      this.failures.set('statistics', { title: 'The floor failed to load', reason: (error as Error).message, retry: () => this.loadAndShow() });
      this.reportFailure();
      return this.busy(false);
    }
    this.failures.clear('statistics');
    this.remember();
    await this.refresh();
  }

  /** Writes what is missing to the status line. */
  private reportFailure(): void {
    const { first } = this.failures;
    if (first) showStatus(`Incomplete: ${first.reason || first.title}`, true);
  }

  private place(): void {
    if (this.placed) this.map.setView([this.state.y, this.state.x], this.state.zoom, { animate: false });
    else fitFloor(this.map, this.bounds);
    this.moved();
  }

  /** Stores the position of the map in the state. */
  private moved(): void {
    const { lat, lng } = this.map.getCenter();
    Object.assign(this.state, { zoom: this.map.getZoom(), x: lng, y: lat });
  }

  private listen(): void {
    this.map.on('moveend', () => {
      if (this.sheet.isResizing) return;
      this.moved();
      this.remember();
    });
    this.map.on('zoomend', () => {
      void this.showHeatLegend().catch(() => undefined);
      // Their lines are as wide at all zooms.
      if (this.state.view === 'contours') this.refreshSoon();
    });
    this.map.on('mousemove', ({ latlng }) => {
      byId('under').hidden = !this.loaded;
      byId('under').textContent = this.valueAt(latlng);
    });
    this.map.on('mouseout', () => (byId('under').hidden = true));
    this.map.on('click', ({ latlng }) => {
      void this.readValue(latlng);
    });
    addEventListener('hashchange', () => {
      const { state, placed } = read(location.hash.slice(1), this.layer, this.schemes);
      if (new URLSearchParams(location.hash.slice(1)).get('layer') !== this.layer.name) return reloadPage();
      if (write(state, this.layer) === write(this.state, this.layer)) return;
      const { zoom, x, y } = this.state;
      this.state = placed ? state : { ...state, zoom, x, y };
      this.replaceUnknownSpace();
      if (placed) this.map.setView([state.y, state.x], state.zoom, { animate: false });
      this.updateTimes();
      void this.refresh();
    });
  }

  private readonly refreshSoon = debounced(() => void this.refresh(), DEBOUNCE_MS);

  private change(state: FloorState, what: string): void {
    this.state = state;
    this.panel.show(state);
    if (what === 'compare-weeks' || what === 'zone') this.updateTimes();
    this.map.closePopup();
    this.remember();
    if (what === 'time') void this.refresh();
    else this.refreshSoon();
  }

  /** Loads the times and spaces of the layer. */
  private async loadStatistics(): Promise<void> {
    const { time, categories } = await fetchJson<Statistics>(`${BASE}/${this.layer.name}/statistics?zoom=0`);
    this.range = time && [Date.parse(time.start), Date.parse(time.end)];
    // The statistics have the first 50 only.
    const isCut = (categories?.total ?? 0) > (categories?.names.length ?? 0);
    const spaces = isCut ? (await fetchCategories(this.layer.name)).categories.map(({ name }) => name).sort() : (categories?.names ?? []);
    // The spaces of a layer share a plane: all of them at once would be a sum of floors.
    if (this.state.space === undefined) this.state.space = spaces.length > 1 ? spaces[0] : null;
    this.spaces = spaces;
    this.replaceUnknownSpace();
    this.panel.showSpaces(spaces);
    this.updateTimes();
  }

  /** Replaces a space that the layer does not have, and says so. */
  private replaceUnknownSpace(): void {
    const { spaces, state: { space } } = this;
    if (!space || spaces.includes(space)) return;
    this.state.space = spaces.length > 1 ? spaces[0] : null;
    showNotice(`There is no space \`${space}\`; showing ${this.state.space ?? 'all points'}.`);
  }

  /** Shows the number of points of the space. */
  private async showCount(): Promise<void> {
    const { space } = this.state;
    if (space && !this.counts.has(space)) {
      const query = new URLSearchParams({ zoom: '0', category: JSON.stringify([space]) });
      const { points } = await fetchJson<Statistics>(`${BASE}/${this.layer.name}/statistics?${query}`);
      this.counts.set(space, points);
    }
    if (space !== this.state.space) return;
    const all = points(this.layer.points);
    byId('about').textContent = space ? `${number(this.counts.get(space)!)} of ${all}` : all;
  }

  /** Updates the weeks and the time range. */
  private updateTimes(): void {
    this.weeks = this.range ? weeksOf(this.range, this.state.zone) : [];
    const known = this.weeks.map(({ id }) => id);
    if (!this.state.weeks?.every((id) => known.includes(id))) this.state.weeks = null;
    this.panel.showWeeks(this.weeks);
    byId('no-times').hidden = this.range !== null;
    byId('zone-field').hidden = byId('time-parts').hidden = byId('matrix-link').hidden = this.range === null;
    this.times.setRange(this.state.weeks ? null : this.range, this.state.time);
    this.updateBars();
  }

  /** The bars of the numbers of detections over time. */
  private updateBars(): void {
    const { state } = this;
    if (!this.range || state.weeks) return this.times.bars.clear();
    const space = state.space ? { category: [state.space] } : {};
    void this.times.bars.load(this.layer.name, this.layer.version, { ...space, ...partParameters(state, state.zone) });
  }

  /** The windows of time to show: one, or A and B. */
  private windows(): ([number, number] | null)[] {
    const { weeks, time } = this.state;
    const chosen = (weeks ?? []).flatMap((id) => this.weeks.filter((week) => week.id === id));
    return chosen.length === 2 ? chosen.map(({ start, end }) => [start, end]) : [time];
  }

  private async refresh(): Promise<void> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    this.busy(true);
    try {
      const shown = await this.load(signal);
      if (signal.aborted) return;
      await this.draw(shown, signal);
      if (!signal.aborted) this.failures.clear('grid');
    } catch (error) {
      if (signal.aborted) return;
      // An old picture would be mistaken for the requested one.
      this.loaded = null;
      this.picture.remove();
      this.legend.show(null);
      this.rooms.showMessage('No data.');
      this.profile.showMessage('No data.');
      const { message } = error as Error;
      showStatus(message, true);
      // Another try of a request that the server rejects fails again. A missing layer may come back.
      const isRejected = error instanceof KilnError && error.status >= 400 && error.status < 500 && error.status !== 404;
      if (isRejected) this.failures.clear('grid');
      else this.failures.set('grid', { title: 'The floor failed to load', reason: message, retry: () => this.refresh() });
      this.arrived();
    }
  }

  private async load(signal: AbortSignal): Promise<Shown> {
    const { state } = this;
    const windows = this.windows();
    const key = JSON.stringify([state.cell, state.space, state.zone, windows, partParameters(state, state.zone)]);
    if (this.loaded?.key === key) return this.loaded.shown;
    showStatus('Loading…');
    void this.showCount().catch(() => undefined);
    this.updateBars();
    const grids = await Promise.all(windows.map((window) => fetchGrid(state, window, this.hasRooms, this.range !== null, signal)));
    const [first, second] = grids as [Grid, Grid | undefined];
    const shown = second
      ? { before: first, grid: second, cells: differenceOf(first.cells, second.cells) }
      : { before: null, grid: first, cells: first.cells };
    if (!signal.aborted) this.loaded = { key, shown };
    return shown;
  }

  private async draw(shown: Shown, signal: AbortSignal): Promise<void> {
    const { state } = this;
    const isPair = shown.before !== null;
    const isLines = state.view === 'contours';
    const areaRamp = await (isPair ? differenceRamp(state.layer) : rampOf(state.layer, state.scheme));
    const ramp = !isLines ? areaRamp : isPair ? await differenceLineRamp(state.layer) : lineRamp(areaRamp);
    if (signal.aborted) return;
    const scaleOf = (values: number[]): Scale => {
      const max = percentile(values.filter(Boolean).map(Math.abs), NORMALIZE) || 1;
      return isPair ? differenceScale(max) : amountScale(max, state.curve);
    };
    const scale = scaleOf([...shown.cells.values.values()].map(({ value }) => value));
    byId('ramp').style.background = `linear-gradient(to right, ${ramp.css.join(', ')})`;
    const title = isPair ? 'Difference, B − A' : this.layer.title;
    this.legend.show(shown.cells.values.size ? { title, unit: this.cellUnit(), ramp, scale } : null);
    this.showRooms(shown);
    this.showProfile(shown, areaRamp, scaleOf);
    this.reportStatus(shown);
    const span = await this.picture.show(state, shown.cells, ramp, scale, this.windows(), this.bounds, signal);
    // A smoothed picture has values of its own.
    if (span) this.legend.show({ title, unit: span.unit, ramp, scale: isPair ? differenceScale(span.max) : amountScale(span.max, state.curve) });
    if (!isPair) await this.showHeatLegend(signal).catch(() => undefined);
  }

  /** Shows the legend of the heat map, whose values depend on the zoom. */
  private async showHeatLegend(signal = this.pending?.signal): Promise<void> {
    const { state } = this;
    if (state.view !== 'heat' || state.weeks) return;
    const zoom = Math.round(this.map.getZoom());
    const { opacity: _, ...style } = styleOf(state, this.catalog);
    const { span, ticks, colors } = await legendOf(BASE, state.layer, style, zoom, signal);
    if (this.state.view !== 'heat' || this.state.weeks || !span) return;
    const scale = { max: span.vmax, position: () => 0, ticks };
    this.legend.show({ title: this.layer.title, unit: span.unit, ramp: { css: colors, colors: [] }, scale });
  }

  private cellUnit(): string {
    const { cell } = this.state;
    return `detections per cell of ${cell} m × ${cell} m`;
  }

  private showRooms({ before, grid }: Shown): void {
    if (!this.hasRooms) this.rooms.showMessage('The layer has no rooms.');
    else if (before) this.rooms.showPair(before, grid);
    else this.rooms.show(grid);
  }

  private showProfile({ before, grid }: Shown, ramp: Ramp, scaleOf: (values: number[]) => Scale): void {
    byId('profile').hidden = this.range === null;
    if (!grid.profile) return this.profile.showMessage('No times.');
    const values: Profile = before?.profile ? grid.profile.map((value, i) => value - before.profile![i]!) : grid.profile;
    if (!values.some(Boolean)) return this.profile.showMessage('No detections.');
    this.profile.show(values, ramp, scaleOf(values), before ? 'detections, B − A' : 'detections');
  }

  private reportStatus({ before, grid, cells }: Shown): void {
    const count = (total: number) => `${number(total)} ${total === 1 ? 'detection' : 'detections'}`;
    if (before) showStatus(`A: ${count(before.total)}, B: ${count(grid.total)}`);
    else if (!grid.total) showStatus('No detections in this period.');
    else showStatus(`${count(grid.total)} in ${number(cells.values.size)} cells of ${this.state.cell} m`);
  }

  /** Shows the value of the cell at a location in a popup, and returns it as text. */
  private async readValue(location: L.LatLng): Promise<string> {
    const text = this.valueAt(location);
    if (text) L.popup({ className: 'kiln-popup' }).setLatLng(location).setContent(make('span', '', text)).openOn(this.map);
    return text || 'No value';
  }

  /** The value of the cell at a location, as text. */
  private valueAt({ lat: y, lng: x }: L.LatLng): string {
    const shown = this.loaded?.shown;
    if (!shown) return '';
    const value = (cells: Cells) => cellAt(cells, x, y)?.value ?? 0;
    const amount = value(shown.grid.cells);
    if (shown.before) {
      const before = value(shown.before.cells);
      return `A ${number(before)}, B ${number(amount)}, B − A ${number(amount - before).replace('-', '−')}`;
    }
    const density = (amount / this.state.cell ** 2).toLocaleString('en', { maximumSignificantDigits: 5 });
    return amount ? `${number(amount)} ${amount === 1 ? 'detection' : 'detections'} · ${density} per m²` : 'No detections';
  }

  private busy(isBusy: boolean): void {
    byId('map').setAttribute('aria-busy', String(isBusy));
  }

  /** Reports that the requested picture is on the map. */
  private arrived(): void {
    this.busy(false);
    this.times.arrived();
  }

  /** Writes the state to the URL. */
  private remember(): void {
    history.replaceState(null, '', `#${write(this.state, this.layer)}`);
    byId<HTMLAnchorElement>('matrix').href = matrixUrl({ ...this.state, time: this.state.weeks ? null : this.state.time, categories: this.state.space ? [this.state.space] : [] });
    // The 3-D page shows one window: of two weeks the second, as its link says. It keeps the weeks for the way back.
    const time = this.windows().at(-1) ?? null;
    byId<HTMLAnchorElement>('surface').href = `${this.layer.name}/surface#${write({ ...this.state, time }, this.layer)}`;
  }
}
