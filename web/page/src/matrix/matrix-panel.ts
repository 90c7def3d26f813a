import type { Catalog, LayerEntry, Statistics } from '../catalog.js';
import { CategoryFilter } from '../categories/category-filter.js';
import { byId, option, points } from '../dom.js';
import { foldable } from '../fold.js';
import { schemeGroups } from '../scheme-groups.js';
import { listZones, TimePartControls } from '../time-part-controls.js';
import { hasParts, NO_PARTS } from '../time-parts.js';
import type { Matrix } from './data.js';
import { NOTHING } from './selection.js';
import { AGGREGATIONS, type Aggregation, type MatrixState } from './state.js';

const AXES: Record<string, string> = {
  none: 'none', hour: 'hour of the day', weekday: 'day of the week', day: 'day of the month', week: 'week of the year', month: 'month',
  'year-month': 'year and month', date: 'date', year: 'year', category: 'category', lon: 'longitude', lat: 'latitude', x: 'x', y: 'y',
};
const STATISTICS: Record<Aggregation, string> = { count: 'number of points', sum: 'sum', mean: 'mean', max: 'maximum' };
const POSITIONS = ['lon', 'lat', 'x', 'y', 'value'];
/** The name of an axis for people. */
export const axisName = (axis: string) => AXES[axis] ?? axis;

/** The controls of the page of a matrix: shows a state and reports changes. */
export class MatrixPanel {
  private readonly select = (id: string) => byId<HTMLSelectElement>(id);
  private readonly input = (id: string) => byId<HTMLInputElement>(id);
  private readonly parts: TimePartControls;
  private readonly categories = new CategoryFilter((categories) => this.changed({ ...this.state, categories }, 'categories'));
  private axes: string[] = [];
  private numbers: string[] = [];

  constructor(
    catalog: Catalog,
    layer: LayerEntry,
    statistics: Statistics,
    private state: MatrixState,
    /** Called with each new state and the name of the changed control. */
    private readonly changed: (state: MatrixState, what: string) => void,
    /** Called with the name of another layer. */
    otherLayer: (name: string) => void,
  ) {
    this.select('layer').replaceChildren(...catalog.layers.map(({ name, title }) => option(name, title)));
    this.select('layer').value = layer.name;
    this.select('scheme').replaceChildren(...schemeGroups(catalog));
    this.select('agg').replaceChildren(...AGGREGATIONS.map((agg) => option(agg, STATISTICS[agg])));
    listZones(this.select('zone'), state.zone);
    this.parts = new TimePartControls(byId('time-parts'), (parts) => this.changed({ ...this.state, ...parts }, 'time-parts'));
    byId('times-fields').hidden = statistics.time === null;
    this.categories.setLayer(layer.name, statistics.categories?.total ?? 0);
    byId('about').textContent = `${points(layer.points)}${layer.positions ? '' : ' without positions'}`;
    byId('back-part').hidden = !layer.positions;
    // It is on the map, outside of the form.
    byId('in-view').addEventListener('change', ({ target }) => this.applyChange(target as HTMLInputElement));
    byId('controls').addEventListener('submit', (event) => event.preventDefault());
    // Dates are complete at the change only; the other controls have changed by then, too.
    byId('controls').addEventListener('change', ({ target }) => {
      const input = target as HTMLInputElement;
      if (input.id === 'layer') otherLayer(input.value);
      else this.applyChange(input);
    });
    byId('swap').addEventListener('click', () => {
      const { x, y, xBins, yBins, selection: { columns, rows } } = this.state;
      this.changed({ ...this.state, x: y, y: x, xBins: yBins, yBins: xBins, selection: { columns: rows, rows: columns } }, 'swap');
    });
    foldable();
  }

  /** Lists the axes and the values of the layer. */
  showChoices({ axes, numbers }: Pick<Matrix, 'axes' | 'numbers'>): void {
    if (String([axes, numbers]) === String([this.axes, this.numbers])) return;
    [this.axes, this.numbers] = [axes, numbers];
    const options = () => ['none', ...axes.filter((axis) => axis !== 'none')].map((axis) => option(axis, axisName(axis)));
    this.select('x').replaceChildren(...options());
    this.select('y').replaceChildren(...options());
    this.select('value').replaceChildren(...numbers.map((name) => option(name)));
    for (const each of this.select('agg').options) each.disabled = each.value !== 'count' && !numbers.length;
    this.show(this.state);
  }

  /** Updates the controls to a state. */
  show(state: MatrixState): void {
    this.state = state;
    for (const id of ['x', 'y'] as const) {
      const select = this.select(id);
      // The server reports an axis that the layer does not have; the control shows it.
      if (![...select.options].some(({ value }) => value === state[id])) select.append(option(state[id], axisName(state[id])));
      select.value = state[id];
      const isNumeric = POSITIONS.includes(state[id]) || this.numbers.includes(state[id]);
      byId(`${id}-bins-field`).hidden = !isNumeric;
      this.input(`${id}-bins`).value = String(state[`${id}Bins`] ?? '');
    }
    this.select('agg').value = state.agg;
    byId('value-field').hidden = state.agg === 'count';
    if (this.numbers.length) this.select('value').value = state.value ?? this.numbers[0]!;
    this.select('scheme').value = state.scheme;
    if (this.select('zone').value !== state.zone) listZones(this.select('zone'), state.zone);
    for (const limit of ['start', 'end'] as const) {
      const text = state[limit] ?? '';
      this.input(limit).value = text.length === 10 ? `${text}T00:00` : text;
    }
    this.parts.show(state);
    this.categories.setTimeFilter(state.start !== null || state.end !== null || hasParts(state));
    this.categories.show(state.categories);
    this.input('in-view').checked = state.inView;
  }

  private applyChange(input: HTMLInputElement): void {
    const state = { ...this.state };
    const { id, value } = input;
    const bins = () => (input.valueAsNumber >= 1 ? Math.min(Math.round(input.valueAsNumber), 1000) : null);
    if (id === 'x') Object.assign(state, { x: value, xBins: null, selection: { ...state.selection, columns: null } });
    else if (id === 'y') Object.assign(state, { y: value, yBins: null, selection: { ...state.selection, rows: null } });
    else if (id === 'x-bins') Object.assign(state, { xBins: bins(), selection: { ...state.selection, columns: null } });
    else if (id === 'y-bins') Object.assign(state, { yBins: bins(), selection: { ...state.selection, rows: null } });
    else if (id === 'agg') state.agg = value as Aggregation;
    else if (id === 'value') state.value = value;
    else if (id === 'scheme') state.scheme = value;
    else if (id === 'zone') state.zone = value;
    else if (id === 'start' || id === 'end') state[id] = value || null;
    else if (id === 'in-view') state.inView = input.checked;
    else return;
    this.changed(state, id);
  }

  /** The state without its filters and its selection. */
  cleared(): MatrixState {
    return { ...this.state, ...NO_PARTS, start: null, end: null, categories: [], selection: NOTHING, inView: false };
  }
}
