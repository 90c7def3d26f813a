import { byId, debounced, make, number, points } from '../dom.js';
import { fetchCategories, matching, type Category, type CategoryList } from './category-list.js';
import { isOn, selectionOf, toggled, type Change } from './selection.js';

const DEBOUNCE_MS = 200;
/** The number of categories from which a search field is shown. */
const SEARCHABLE = 8;

/** The filter by categories: a list of all with their numbers of points, of which those that are shown are ticked. */
export class CategoryFilter {
  private readonly box = byId<HTMLDetailsElement>('categories');
  private readonly value = byId('categories-value');
  private readonly search = make('input');
  private readonly note = make('p', 'quiet');
  private readonly list = make('div');
  private readonly more = make('p', 'quiet');
  private readonly all = make('button', '', 'All categories');
  private readonly found = make('button');
  private layer = '';
  private total = 0;
  private selected: string[] = [];
  /** The categories with the most points, at most as many as the server lists. Null: not loaded yet. */
  private known: CategoryList | null = null;
  /** The result of the search, and the number of categories that match. */
  private result: { categories: Category[]; matching: number } = { categories: [], matching: 0 };
  private rows: { name: string; points: number | null }[] = [];
  private hasTimeFilter = false;
  private pending: AbortController | null = null;

  /** `changed` is called with each new selection; empty: all. */
  constructor(private readonly changed: (categories: string[]) => void) {
    Object.assign(this.search, { id: 'category-search', type: 'search', autocomplete: 'off', spellcheck: false });
    this.search.setAttribute('aria-label', 'Search categories');
    this.search.setAttribute('aria-controls', 'category-list');
    Object.assign(this.note, { id: 'category-note' });
    this.note.setAttribute('role', 'status');
    Object.assign(this.list, { id: 'category-list' });
    this.list.setAttribute('role', 'group');
    this.list.setAttribute('aria-label', 'Categories');
    Object.assign(this.all, { id: 'category-all', type: 'button' });
    Object.assign(this.found, { id: 'category-found', type: 'button' });
    const buttons = make('p', 'row');
    buttons.append(this.found, this.all);
    this.box.append(this.search, this.note, this.list, this.more, buttons);
    this.box.addEventListener('toggle', () => this.box.open && void this.load());
    const soon = debounced(() => void this.find(), DEBOUNCE_MS);
    this.search.addEventListener('input', () => (this.isComplete ? void this.find() : soon()));
    this.search.addEventListener('keydown', (event) => {
      // The form has nothing to submit.
      if (event.key === 'Enter') event.preventDefault();
    });
    this.list.addEventListener('change', ({ target }) => {
      const { value, checked } = target as HTMLInputElement;
      this.apply(toggled(this.selected, value, checked, this.names));
    });
    this.list.addEventListener('click', ({ target }) => {
      const { only } = (target as HTMLElement).dataset;
      if (only !== undefined) this.apply({ selected: [only] });
    });
    this.all.addEventListener('click', () => {
      this.apply({ selected: [] });
      // The button is hidden now.
      this.box.querySelector('summary')?.focus();
    });
    this.found.addEventListener('click', () => this.apply(selectionOf(this.result.categories.map(({ name }) => name), this.names)));
  }

  /** Sets the layer, and the number of its categories. */
  setLayer(layer: string, total: number): void {
    this.pending?.abort();
    Object.assign(this, { layer, total, known: null, result: { categories: [], matching: 0 } });
    this.search.value = '';
    this.search.placeholder = `Search ${number(total)} categories`;
    this.search.hidden = total < SEARCHABLE;
    this.box.hidden = !total;
    this.draw();
    if (this.box.open && total) void this.load();
  }

  /** Sets whether the map shows a part of the times only: the numbers of points are those of all times. */
  setTimeFilter(hasTimeFilter: boolean): void {
    this.hasTimeFilter = hasTimeFilter;
    this.showUnlisted();
  }

  /** Updates the ticks to a selection. */
  show(selected: string[]): void {
    this.selected = selected;
    this.value.textContent = selected.length ? `${number(selected.length)} of ${number(Math.max(this.total, selected.length))}` : 'all';
    for (const input of this.list.querySelectorAll('input')) input.checked = isOn(selected, input.value);
    this.all.hidden = !selected.length;
    // Names from a link that are not among the listed ones.
    const rows = new Set(this.rows.map(({ name }) => name));
    if (this.known && !this.search.value && selected.some((name) => !rows.has(name))) this.draw();
    else this.showUnlisted();
  }

  private get isComplete(): boolean {
    return this.known !== null && this.known.categories.length === this.known.total;
  }

  /** The names of all categories, or null. */
  private get names(): string[] | null {
    return this.isComplete ? this.known!.categories.map(({ name }) => name) : null;
  }

  private apply(change: Change): void {
    this.note.classList.toggle('error', 'reason' in change);
    if ('reason' in change) {
      this.note.textContent = change.reason;
      return this.show(this.selected);
    }
    this.note.textContent = '';
    this.describe();
    this.changed(change.selected);
  }

  /** Loads the categories with the most points. */
  private async load(): Promise<void> {
    if (this.known || this.pending?.signal.aborted === false) return;
    await this.request('', (list) => {
      this.known = list;
      this.total = list.total;
      this.result = list;
    });
    if (this.known && this.search.value) await this.find();
  }

  /** Lists the categories of the search. */
  private async find(): Promise<void> {
    const search = this.search.value.trim();
    if (!this.known) return this.load();
    if (this.isComplete || !search) {
      this.pending?.abort();
      this.note.classList.remove('error');
      const categories = matching(this.known.categories, search);
      this.result = { categories, matching: search ? categories.length : this.known.total };
      return this.draw();
    }
    await this.request(search, (list) => (this.result = list));
  }

  private async request(search: string, then: (list: CategoryList) => void): Promise<void> {
    this.pending?.abort();
    const pending = (this.pending = new AbortController());
    this.note.classList.remove('error');
    this.note.textContent = 'Loading…';
    try {
      const list = await fetchCategories(this.layer, search, undefined, pending.signal);
      if (pending.signal.aborted) return;
      then(list);
      this.draw();
    } catch (error) {
      if (pending.signal.aborted) return;
      this.note.classList.add('error');
      this.note.textContent = `The categories failed to load: ${(error as Error).message}`;
    } finally {
      if (this.pending === pending) this.pending = null;
    }
  }

  /** Draws the rows of the result. */
  private draw(): void {
    const search = this.search.value.trim();
    const { categories: listed } = this.result;
    const names = new Set(listed.map(({ name }) => name));
    const others = search || !this.known ? [] : this.selected.filter((name) => !names.has(name)).map((name) => ({ name, points: null }));
    this.rows = [...others, ...listed];
    this.list.replaceChildren(...this.rows.map(({ name, points }) => this.row(name, points)));
    this.describe();
    this.show(this.selected);
  }

  private row(name: string, count: number | null): HTMLElement {
    const row = make('div', 'category');
    const label = make('label', 'check');
    const input = make('input');
    Object.assign(input, { type: 'checkbox', value: name });
    const title = make('span', 'name', name || '(empty)');
    title.title = name;
    label.append(input, title);
    if (count !== null) {
      const total = make('span', 'quiet', number(count));
      total.title = points(count);
      label.append(total);
    }
    const only = make('button', 'only plain', 'only');
    only.type = 'button';
    only.dataset['only'] = name;
    only.setAttribute('aria-label', `Only ${name || '(empty)'}`);
    row.append(label, only);
    return row;
  }

  /** Describes which categories are listed. */
  private describe(): void {
    const { categories, matching: found } = this.result;
    const search = this.search.value.trim();
    if (!this.note.classList.contains('error')) {
      const results = found ? `${number(found)} of ${number(this.total)} match` : `No category contains “${search}”.`;
      this.note.textContent = search && this.known ? results : '';
    }
    // A list that is cut has not all that match.
    this.found.hidden = !search || !found || categories.length < found;
    this.found.textContent = found === 1 ? 'Only this one' : `Only these ${number(found)}`;
  }

  /** Reports what is not listed: further categories, and points without a category, which a selection hides. */
  private showUnlisted(): void {
    const without = this.known?.without_category ?? 0;
    const { matching: found, categories } = this.result;
    const unlisted = found - categories.length;
    const more = unlisted > 0 ? `and ${number(unlisted)} more: search for them` : '';
    const hidden = without && this.selected.length ? `${points(without)} without a category ${without === 1 ? 'is' : 'are'} hidden.` : '';
    const times = this.hasTimeFilter && this.rows.length ? 'The numbers of points are those of all times.' : '';
    this.more.textContent = [more && `${more}.`, hidden, times].filter(Boolean).join(' ');
  }
}
