import type { Catalog, LayerEntry } from '../catalog.js';
import { byId, option, points } from '../dom.js';
import { listLayers, showLayer } from '../layer-head.js';
import { SchemePicker } from '../scheme-picker.js';
import { TimePartControls } from '../time-part-controls.js';
import { browserZone } from '../zones.js';
import { CELL_SIDES_M, VIEWS, type Curve, type FloorState, type View } from './state.js';
import { lastTwo, nameOf, type Week } from './weeks.js';

/** The controls of a plane layer: shows a state and reports changes. */
export class FloorPanel {
  private readonly select = (id: string) => byId<HTMLSelectElement>(id);
  private readonly input = (id: string) => byId<HTMLInputElement>(id);
  private readonly parts: TimePartControls;
  private readonly schemes: SchemePicker;
  private weeks: Week[] = [];

  constructor(
    catalog: Catalog,
    private readonly layer: LayerEntry,
    private state: FloorState,
    /** Called with each new state and the name of the changed control. */
    private readonly changed: (state: FloorState, what: string) => void,
    /** Called with the name of another layer. */
    private readonly otherLayer: (name: string) => void,
  ) {
    listLayers(catalog);
    // The page of the floor replaces the sentence by the number of points of the space.
    showLayer(layer, points(layer.points));
    this.schemes = new SchemePicker(catalog);
    // The curve of the globe's tiles that differences do not have.
    this.select('curve').querySelector('[value="eqhist"]')?.remove();
    const sides = [...new Set([...CELL_SIDES_M, state.cell])].sort((a, b) => a - b);
    this.select('cell').replaceChildren(...sides.map((side) => option(String(side), `${side} m`)));
    const zones = [...new Set(['UTC', browserZone(), state.zone])];
    this.select('zone').replaceChildren(...zones.map((zone) => option(zone, zone.replaceAll('_', ' '))));
    byId('controls').addEventListener('input', (event) => this.applyChange(event.target as HTMLInputElement));
    byId('controls').addEventListener('submit', (event) => event.preventDefault());
    this.parts = new TimePartControls(byId('time-parts'), (parts) => this.changed({ ...this.state, ...parts }, 'time-parts'));
    byId('swap').addEventListener('click', () => {
      const { weeks } = this.state;
      if (weeks) this.changed({ ...this.state, weeks: [weeks[1], weeks[0]] }, 'weeks');
    });
  }

  /** Lists the spaces of the layer. */
  showSpaces(spaces: string[]): void {
    byId('space-field').hidden = spaces.length < 2;
    this.select('space').replaceChildren(option('', 'all spaces'), ...spaces.map((space) => option(space)));
    this.show(this.state);
  }

  /** Lists the weeks of the layer. Without two weeks there is no comparison. */
  showWeeks(weeks: Week[]): void {
    this.weeks = weeks;
    byId('weeks').hidden = weeks.length < 2;
    const options = () => weeks.map((week) => option(week.id, `${week.label} · ${week.id.slice(5)}${week.isComplete ? '' : ' (incomplete)'}`));
    this.select('week-a').replaceChildren(...options());
    this.select('week-b').replaceChildren(...options());
    this.show(this.state);
  }

  /** Updates the controls to a state. */
  show(state: FloorState): void {
    this.state = state;
    this.select('layer').value = this.layer.name;
    this.select('space').value = state.space ?? '';
    this.select('curve').value = state.curve;
    this.select('cell').value = String(state.cell);
    this.select('zone').value = state.zone;
    this.parts.show(state);
    for (const view of VIEWS) this.input(`view-${view}`).checked = state.view === view;
    this.input('opacity').value = String(state.opacity);
    byId('opacity-value').textContent = `${state.opacity} %`;
    this.input('spread').value = String(state.radius);
    byId('spread-value').textContent = `${state.radius} m`;
    byId('spread-field').hidden = state.view === 'cells';
    this.input('compare-weeks').checked = state.weeks !== null;
    byId('week-pair').hidden = state.weeks === null;
    // A difference has colors and a linear scale of its own.
    this.schemes.show(state.scheme, state.weeks !== null);
    this.select('curve').disabled = state.weeks !== null;
    if (state.weeks) [this.select('week-a').value, this.select('week-b').value] = state.weeks;
    const [before, after] = (state.weeks ?? []).map((id) => this.weeks.find((week) => week.id === id));
    byId('week-ranges').textContent = before && after ? `B − A: ${nameOf(after)} minus ${nameOf(before)}` : '';
    byId('surface').textContent = after ? `3-D surface of week B: ${after.label}` : '3-D surface';
  }

  private applyChange({ id, value, checked, name }: HTMLInputElement): void {
    const state = { ...this.state };
    const amount = Number(value);
    if (id === 'layer') return this.otherLayer(value);
    if (name === 'view') state.view = value as View;
    else if (id === 'space') state.space = value || null;
    else if (id === 'scheme') state.scheme = value;
    else if (id === 'curve') state.curve = value as Curve;
    else if (id === 'cell') state.cell = amount;
    else if (id === 'opacity') state.opacity = amount;
    else if (id === 'spread') state.radius = amount;
    else if (id === 'zone') state.zone = value;
    else if (id === 'compare-weeks') state.weeks = checked ? lastTwo(this.weeks) : null;
    else if (id === 'week-a' || id === 'week-b') state.weeks = [this.select('week-a').value, this.select('week-b').value];
    else return;
    this.changed(state, name || id);
  }
}
