import type { Catalog } from './catalog.js';
import { CategoryFilter } from './categories/category-filter.js';
import { byId } from './dom.js';
import { listLayers, sentenceOf, showLayer } from './layer-head.js';
import { SchemePicker } from './scheme-picker.js';
import { defaultStyle, type State } from './state.js';
import { listZones, TimePartControls } from './time-part-controls.js';
import { hasParts, NO_PARTS } from './time-parts.js';

type Choice = 'layer' | 'mode' | 'scheme' | 'curve' | 'normalize' | 'agg';
const CHOICES: Choice[] = ['layer', 'mode', 'scheme', 'curve', 'normalize', 'agg'];

/** The controls: shows a state and reports changes. */
export class Panel {
  private readonly selects = Object.fromEntries(CHOICES.map((id) => [id, byId<HTMLSelectElement>(id)])) as Record<Choice, HTMLSelectElement>;
  private readonly inputs = Object.fromEntries(
    ['radius', 'opacity', 'lock', 'vmin', 'vmax', 'handover', 'beyond', 'compare'].map((id) => [id, byId<HTMLInputElement>(id)]),
  ) as Record<string, HTMLInputElement>;

  private readonly schemes: SchemePicker;
  private readonly categories = new CategoryFilter((categories) => this.changed({ ...this.state, categories }, 'categories'));
  private readonly timeParts: { controls: TimePartControls; zone: HTMLSelectElement };

  constructor(
    private readonly catalog: Catalog,
    private state: State,
    /** Called with each new state and the name of the changed control. */
    private readonly changed: (state: State, what: string) => void,
    /** Returns the current color scale, for the lock. */
    private readonly span: () => [number, number] | null,
  ) {
    listLayers(catalog);
    this.schemes = new SchemePicker(catalog);
    byId('controls').addEventListener('input', (event) => this.applyChange(event.target as HTMLElement));
    byId('controls').addEventListener('submit', (event) => event.preventDefault());
    const zone = byId<HTMLSelectElement>('part-zone');
    listZones(zone, state.zone);
    const controls = new TimePartControls(byId('time-parts'), (parts) => this.changed({ ...this.state, ...parts }, 'time-parts'), byId('part-zone-field'));
    this.timeParts = { controls, zone };
  }

  /** Updates the controls to a state. */
  show(state: State): void {
    this.state = state;
    for (const id of CHOICES) this.selects[id].value = state[id];
    const { radius, opacity, lock, vmin, vmax, handover, beyond, compare } = this.inputs as Record<string, HTMLInputElement>;
    const layer = this.catalog.layers.find(({ name }) => name === state.layer);
    radius!.value = String(state.radius ?? 12);
    byId('radius-value').textContent = state.radius === null ? (layer?.style['radius'] ?? '') : `${state.radius} px`;
    opacity!.value = String(state.opacity);
    byId('opacity-value').textContent = `${state.opacity} %`;
    lock!.checked = state.span !== null;
    byId('span').hidden = state.span === null;
    if (state.span && document.activeElement !== vmin && document.activeElement !== vmax) {
      [vmin!.value, vmax!.value] = state.span.map((end) => String(Number(end.toPrecision(6)))) as [string, string];
    }
    handover!.checked = state.handover;
    beyond!.value = String(state.beyond);
    compare!.checked = state.before !== null;
    byId<HTMLInputElement>('names').checked = state.names;
    this.schemes.show(state.scheme);
    showLayer(layer, layer ? sentenceOf(layer, state.agg) : '');
    this.timeParts.controls.show(state);
    this.timeParts.zone.value = state.zone;
    this.categories.setTimeFilter(state.time !== null || hasParts(state));
    this.categories.show(state.categories);
  }

  /** Lists the layers again. */
  listLayers(): void {
    listLayers(this.catalog);
  }

  /** Shows the filter by parts of the time if the layer has times, without hours if they are of whole days, and the link to its matrix, which may also have categories. */
  showTimes(hasTimes: boolean, hasHours: boolean, hasCategories: boolean): void {
    byId('time-parts').hidden = !hasTimes;
    this.timeParts.controls.showHours(hasHours);
    byId('matrix-link').hidden = !hasTimes && !hasCategories;
  }

  /** Sets the number of categories of the layer. */
  showCategories(layer: string, total: number): void {
    this.categories.setLayer(layer, total);
    this.categories.show(this.state.categories);
  }

  /** Applies the change of a control. */
  private applyChange(target: HTMLElement): void {
    const state = { ...this.state };
    const input = target as HTMLInputElement;
    const { id } = target;
    if (id === 'layer') {
      const layer = this.catalog.layers.find(({ name }) => name === input.value);
      Object.assign(state, { layer: input.value, span: null, time: null, categories: [] }, NO_PARTS, defaultStyle(layer));
    } else if ((CHOICES as string[]).includes(id)) {
      Object.assign(state, { [id]: input.value });
    } else if (id === 'radius') state.radius = input.valueAsNumber;
    else if (id === 'opacity') state.opacity = input.valueAsNumber;
    else if (id === 'lock') state.span = input.checked ? this.span() : null;
    else if (id === 'vmin' || id === 'vmax') {
      const [low, high] = [this.inputs['vmin']!.valueAsNumber, this.inputs['vmax']!.valueAsNumber];
      const isSpan = low < high;
      this.inputs['vmax']!.setCustomValidity(isSpan ? '' : 'The maximum must be greater than the minimum.');
      if (!isSpan) return;
      state.span = [low, high];
    } else if (id === 'part-zone') state.zone = input.value;
    else if (id === 'handover') state.handover = input.checked;
    else if (id === 'beyond') {
      if (Number.isFinite(input.valueAsNumber)) state.beyond = Math.min(Math.max(Math.round(input.valueAsNumber), 0), 18);
    } else if (id === 'names') state.names = input.checked;
    else if (id === 'compare') state.before = input.checked ? '' : null;
    else return;
    this.changed(state, id);
  }
}
