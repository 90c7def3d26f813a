import { KilnError, type HeatStyle } from 'kiln-leaflet';

import { BASE, isPlane, type Catalog, type LayerEntry, type Statistics } from '../catalog.js';
import { showDamage } from '../damage.js';
import { byId, debounced, number, points, showNotice, showStatus } from '../dom.js';
import type { Failures } from '../failures.js';
import type { CodeAccess } from '../snippets/code-access.js';
import { rampOf, type Ramp } from '../floor/ramps.js';
import { initial as initialMap, styleOf, write as writeMap, type State } from '../state.js';
import { hasParts } from '../time-parts.js';
import { instantOfText } from '../zones.js';
import { MatrixChart, nameOf, type Place } from './chart.js';
import { ChartInput } from './chart-input.js';
import { cellTexts, fetchMatrix, matrixUrl, type ChartData, type Matrix } from './data.js';
import { filterOf, type MapFilter } from './filters.js';
import { totalTexts } from './selection-total.js';
import { showLegend } from './matrix-legend.js';
import { hasMap, MatrixMap } from './matrix-map.js';
import { axisName, MatrixPanel } from './matrix-panel.js';
import { MatrixTable } from './matrix-table.js';
import { CellScale, themeColor } from './scale.js';
import { isEmpty, NOTHING, same, select, textOf, within, type Range } from './selection.js';
import { snippetOf } from './snippet.js';
import { likelyAxes, queryOf, read, write, type MatrixState } from './state.js';

const DEBOUNCE_MS = 90;
/** A value range that the server need not compute, and cannot for a table without geometry. */
const COLORS_ONLY: HeatStyle = { curve: 'linear', vmin: 0, vmax: 1 };

/** The page of the matrix of a layer, with a map that shows the selected cells. */
export class MatrixPage {
  private state: MatrixState;
  private readonly axes: string[];
  private readonly hasMap: boolean;
  private readonly schemes: string[];
  private readonly chart = new MatrixChart();
  private readonly input: ChartInput;
  private readonly table = new MatrixTable();
  private readonly panel: MatrixPanel;
  private readonly map: MatrixMap | null;
  private loaded: { query: string; matrix: Matrix; data: ChartData } | null = null;
  private ramp: Ramp | null = null;
  private pending: AbortController | null = null;
  /** What the code sends to a server with keys. Null: nothing, or not loaded yet. */
  private access: CodeAccess | null = null;

  constructor(private readonly catalog: Catalog, private readonly layer: LayerEntry, private readonly statistics: Statistics, private readonly failures: Failures) {
    this.schemes = catalog.schemes.flatMap(({ name }) => [name, `${name}_r`]);
    this.axes = likelyAxes(layer, statistics);
    this.hasMap = hasMap(layer, statistics);
    this.state = this.read();
    showDamage(layer, byId('head'));
    document.title = `${layer.title}: matrix - Kiln`;
    byId('title').textContent = layer.title;
    this.panel = new MatrixPanel(catalog, layer, statistics, this.state, (state, what) => this.change(state, what), openLayer);
    // The server has the full lists.
    this.panel.showChoices({ axes: this.axes, numbers: layer.weight ? [layer.weight] : [] });
    this.input = new ChartInput(this.chart, {
      selected: (columns, rows, isAdded, isClick) => this.select(columns, rows, isAdded, isClick),
      cleared: () => this.change({ ...this.state, selection: NOTHING }, 'selection'),
      pointed: (place, byKeyboard) => this.point(place, byKeyboard),
    });
    document.body.classList.toggle('has-map', this.hasMap);
    this.map = this.hasMap ? new MatrixMap(catalog, layer, this.state.at, (at) => this.moved(at), failures) : null;
    byId('clear').addEventListener('click', () => this.change({ ...this.state, selection: NOTHING }, 'selection'));
    byId('reset').addEventListener('click', () => this.change(this.panel.cleared(), 'reset'));
    byId('copy').addEventListener('click', () => void copySnippet());
    byId('take').addEventListener('toggle', () => void this.offerKeys(), { once: true });
    addEventListener('hashchange', () => {
      const state = this.read();
      if (write(state, this.axes) === write(this.state, this.axes)) return;
      this.state = state;
      if (state.at) this.map?.moveTo(state.at);
      void this.refresh();
    });
  }

  /** Shows the state of the URL. */
  start(): Promise<void> {
    return this.refresh();
  }

  /** Updates the chart and the map to the theme. */
  redraw(): void {
    this.map?.redraw();
    this.draw();
  }

  private read(): MatrixState {
    const { state, ignored } = read(location.hash.slice(1), this.axes, this.schemes);
    showNotice();
    if (ignored.length) showNotice(`Invalid parameters of the URL are ignored: ${ignored.join(', ')}.`);
    // Without a map there is no view.
    return this.hasMap ? state : { ...state, inView: false };
  }

  private readonly refreshSoon = debounced(() => void this.refresh(), DEBOUNCE_MS);

  private change(state: MatrixState, what: string): void {
    this.state = state;
    showNotice();
    this.panel.show(state);
    if (what === 'selection') {
      this.chart.setSelection(state.selection);
      this.showSelection();
      byId('announcement').textContent = isEmpty(state.selection) ? 'No selection' : `Selected: ${byId('selection-text').textContent}: ${byId('selection-values').textContent}`;
      this.remember();
    } else this.refreshSoon();
  }

  private moved(at: [number, number, number]): void {
    this.state.at = at;
    this.remember();
    if (this.state.inView) this.refreshSoon();
  }

  private select(columns: Range, rows: Range, isAdded: boolean, isClick: boolean): void {
    if (!this.loaded) return;
    const { x, y } = this.loaded.matrix;
    const before = this.state.selection;
    const selection = select(before, columns, rows, isAdded, x, y);
    // A click at the selected cell clears the selection.
    const isSame = isClick && !isAdded && same(selection, before);
    this.change({ ...this.state, selection: isSame ? NOTHING : selection }, 'selection');
    const { bounds } = filterOf(this.state, this.loaded.matrix);
    if (bounds && !this.state.inView) this.map?.moveToBounds(bounds);
  }

  private async refresh(): Promise<void> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const { state } = this;
    const query = queryOf(state, state.inView ? (this.map?.view() ?? null) : null);
    const key = String(query);
    this.panel.show(state);
    byId('chart-frame').setAttribute('aria-busy', 'true');
    if (this.loaded?.query !== key) showStatus('Loading…');
    try {
      const reply = this.loaded?.query === key ? this.loaded : { query: key, ...(await fetchMatrix(this.layer.name, query, signal)) };
      const ramp = await rampOf(this.layer.name, state.scheme, COLORS_ONLY);
      if (signal.aborted) return;
      this.failures.clear('matrix');
      [this.loaded, this.ramp] = [reply, ramp];
      this.panel.showChoices(reply.matrix);
      const selection = within(this.state.selection, reply.matrix.x, reply.matrix.y);
      const isLost = (['columns', 'rows'] as const).some((name) => (this.state.selection[name]?.length ?? 0) > (selection[name]?.length ?? 0));
      if (isLost) showNotice('Some selected columns or rows are not in this matrix; the selection is without them.');
      this.state.selection = selection;
      this.draw();
      this.report();
    } catch (error) {
      if (signal.aborted) return;
      this.fail(error as Error);
    }
    byId('chart-frame').setAttribute('aria-busy', 'false');
    this.showLinks(query);
    this.showSelection();
    this.remember();
  }

  /** Draws the loaded matrix in the colors of the theme. */
  private draw(): void {
    if (!this.loaded || !this.ramp) return;
    const { matrix, data } = this.loaded;
    const isBlank = matrix.min === null || matrix.max === null;
    const scale = isBlank ? null : new CellScale(this.ramp, matrix.min!, matrix.max!, themeColor('--solid'));
    byId('subtitle').textContent = titleOf(matrix);
    byId('chart-frame').hidden = scale === null;
    showLegend(scale, matrix.unit, matrix.agg === 'count');
    byId('message').hidden = scale !== null;
    if (scale) this.chart.show(matrix, data, scale, this.state.selection);
    else {
      this.chart.hide();
      byId('message-text').className = 'quiet';
      byId('message-text').textContent = matrix.unplaced
        ? `No points in cells: ${points(matrix.unplaced)} without a value on an axis.`
        : 'No points pass the filters.';
    }
    byId('reset').hidden = !this.isFiltered();
    this.input.setSize(scale ? data.xLabels.length : 0, scale ? data.yLabels.length : 0);
    this.table.show(scale ? matrix : null);
  }

  private isFiltered(): boolean {
    const { start, end, categories, inView } = this.state;
    return start !== null || end !== null || categories.length > 0 || inView || hasParts(this.state);
  }

  /** Reports a failed request. An old chart would be mistaken for the requested one. */
  private fail(error: Error): void {
    this.loaded = null;
    this.chart.hide();
    this.table.show(null);
    this.input.setSize(0, 0);
    showLegend(null, '', false);
    byId('subtitle').textContent = '';
    byId('chart-frame').hidden = true;
    byId('message').hidden = false;
    byId('message-text').className = 'error';
    byId('message-text').textContent = error.message;
    // Another try of a request that the server rejects fails again.
    const isRejected = error instanceof KilnError && error.status >= 400 && error.status < 500;
    if (isRejected) this.failures.clear('matrix');
    else this.failures.set('matrix', { title: 'The matrix failed to load', reason: error.message, retry: () => this.refresh() });
    byId('reset').hidden = !this.isFiltered();
    showStatus('');
  }

  private report(): void {
    const { matrix, data } = this.loaded!;
    const cells = data.datasets[0]?.data.length ?? 0;
    const all = data.xLabels.length * data.yLabels.length;
    const unplaced = matrix.unplaced ? `; ${number(matrix.unplaced)} without a value on an axis` : '';
    showStatus(`${points(matrix.total)} in ${number(cells)} of ${number(all)} cells${unplaced}`);
  }

  /** Shows the cell under the pointer or at the cursor of the keyboard as text. */
  private point(place: Place | null, byKeyboard: boolean): void {
    const matrix = this.loaded?.matrix;
    let text = '';
    if (place && matrix) {
      const [x, y] = [matrix.x.labels[place.column] ?? '', matrix.y.labels[place.row] ?? ''];
      const [value, count] = [matrix.values[place.row]?.[place.column] ?? null, matrix.counts[place.row]?.[place.column] ?? 0];
      text = `${nameOf(matrix, { x, y })}: ${value === null ? 'no points' : cellTexts(matrix, value, count).join(', ')}`;
    }
    byId('cell').textContent = text;
    if (byKeyboard) byId('announcement').textContent = text;
  }

  /** Shows the selection as text, and filters the map by it. */
  private showSelection(): void {
    const matrix = this.loaded?.matrix ?? null;
    const { selection } = this.state;
    const filter = filterOf(this.state, matrix);
    byId('selection').hidden = !matrix;
    byId('clear').hidden = isEmpty(selection);
    byId('selection').classList.toggle('is-empty', isEmpty(selection));
    byId('selection-values').textContent = matrix && !isEmpty(selection) ? totalTexts(matrix, selection).join(', ') : '';
    if (matrix && isEmpty(selection)) {
      byId('selection-text').textContent = `Click or drag to select cells${this.map ? ' and filter the map' : ''}. With Shift, columns and rows are added.`;
    } else if (matrix) {
      const part = (axis: Matrix['x'], keys: typeof selection.columns) => (keys ? `${axis.title}: ${textOf(axis, keys)}` : '');
      byId('selection-text').textContent = [part(matrix.x, selection.columns), part(matrix.y, selection.rows)].filter(Boolean).join(' · ');
    }
    const notes = this.map && matrix && !isEmpty(selection) ? filter.notes : [];
    if (this.map && matrix && this.isOtherValue(matrix)) notes.push(`The map has no values of ${matrix.value}; it shows ${this.layer.weight ? `those of ${this.layer.weight}` : 'the number of points'}.`);
    if (this.state.inView && filter.bounds) notes.push('The map does not move to the selected bins while the matrix follows its view.');
    byId('notes').textContent = notes.join(' ');
    this.map?.show(filter.isEmpty ? null : this.heatStyle(filter));
    if (this.layer.positions) byId<HTMLAnchorElement>('back').href = this.mapUrl(filter);
  }

  /** The URL of the map page for a filter. */
  private mapUrl(filter: MapFilter): string {
    const parameters = new URLSearchParams(writeMap(this.mapState(filter), this.layer, this.catalog));
    if (!this.state.at) parameters.delete('at');
    const [space, ...others] = filter.categories;
    // The categories of a plane are its spaces, of which its map shows one or all.
    if (isPlane(this.layer) && space !== undefined && !others.length) parameters.set('space', space);
    if (isPlane(this.layer)) parameters.delete('categories');
    return `${BASE}/#${parameters}`.replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%2C', ',');
  }

  /** The state of the map page for a filter. */
  private mapState({ hours, weekdays, months, start, end, categories }: MapFilter): State {
    const [zoom, lat, lng] = this.state.at ?? [0, 0, 0];
    const { scheme, zone, agg } = this.state;
    const instant = (text: string | null, without: number) => (text === null ? without : instantOfText(text, zone));
    // A range needs both ends.
    const time: State['time'] = start === null && end === null ? null : [instant(start, 0), instant(end, Date.UTC(2100, 0))];
    return { ...initialMap(this.layer, this.catalog), agg, scheme, zone, time, categories, hours, weekdays, months, zoom, lat, lng };
  }

  private heatStyle(filter: MapFilter): HeatStyle {
    const { start, end } = filter;
    const { agg } = this.state;
    const style = styleOf({ ...this.mapState({ ...filter, start: null, end: null }) }, this.catalog);
    // The lowest mean, maximum or negative sum is a value, not the absence of points.
    const isSigned = agg === 'sum' && (this.statistics.weight?.min ?? 0) < 0;
    if (agg === 'mean' || agg === 'max' || isSigned) delete style.transparent_low;
    if (start !== null) Object.assign(style, { start, tz: this.state.zone });
    if (end !== null) Object.assign(style, { end, tz: this.state.zone });
    return style;
  }

  /** Whether the matrix has values of a column other than the weight, which is the only value of the map. */
  private isOtherValue({ agg, value }: Matrix): boolean {
    return agg !== 'count' && Boolean(value) && value !== 'weight' && value !== this.layer.weight;
  }

  /** Offers keys and signatures for the code, on a server with keys. */
  private async offerKeys(): Promise<void> {
    const { access } = this.catalog;
    if (!access || access.key === 'anonymous') return;
    const { CodeAccess } = await import('../snippets/code-access.js');
    this.access = new CodeAccess(access, byId('snippet'), () => this.loaded && this.showLinks(new URLSearchParams(this.loaded.query)));
    if (this.loaded) this.showLinks(new URLSearchParams(this.loaded.query));
  }

  private showLinks(query: URLSearchParams): void {
    const { scheme } = this.state;
    for (const format of ['png', 'svg', 'csv', 'json'] as const) {
      const link = byId<HTMLAnchorElement>(`as-${format}`);
      link.href = matrixUrl(this.layer.name, query, format, format === 'png' || format === 'svg' ? { scheme, title: this.layer.title } : {});
      link.download = `${this.layer.name}-matrix.${format}`;
    }
    const key = this.access?.keyFor(this.layer.name).query;
    if (this.ramp) byId('snippet').textContent = snippetOf(matrixUrl(this.layer.name, query, 'chartjs') + (key ? `&${key}` : ''), this.ramp);
  }

  /** Writes the state to the URL. */
  private remember(): void {
    history.replaceState(null, '', `#${write(this.state, this.axes)}`);
  }
}

/** What a matrix shows, such as `mean of delay by hour of the day and day of the week`. */
function titleOf({ unit, x, y }: Matrix): string {
  const axes = [x, y].filter(({ axis }) => axis !== 'none').map(({ axis }) => axisName(axis));
  return `${unit}${axes.length ? ` by ${axes.join(' and ')}` : ''}`;
}

function openLayer(name: string): void {
  location.href = `${BASE}/matrix/${encodeURIComponent(name)}`;
}

/** Copies the code. Without clipboard access (plain HTTP), selects it for Ctrl+C. */
async function copySnippet(): Promise<void> {
  const done = (text: string) => {
    byId('copy').textContent = text;
    setTimeout(() => (byId('copy').textContent = 'Copy'), 2000);
  };
  try {
    await navigator.clipboard.writeText(byId('snippet').textContent ?? '');
    done('Copied');
  } catch {
    getSelection()?.selectAllChildren(byId('snippet'));
    done('Selected: press Ctrl+C');
  }
}
