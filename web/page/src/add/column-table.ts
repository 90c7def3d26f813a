import { make, option } from '../dom.js';
import { ROLES, type Inspection, type Role } from './inspect.js';

const NAMES: Record<Role, string> = {
  lon: 'Longitude',
  lat: 'Latitude',
  geometry: 'Geometry',
  weight: 'Weight',
  time: 'Time',
  category: 'Category',
  track: 'Track',
};
const COORDINATES: readonly Role[] = ['lon', 'lat', 'geometry'];

/** The columns of a file with their first values, and a choice of what each is read as. */
export class ColumnTable {
  readonly element = make('div', 'columns');
  private selects: HTMLSelectElement[] = [];
  private columns: Inspection['columns'] = [];

  constructor(private readonly changed: () => void) {
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', 'Columns');
  }

  show({ columns }: Inspection): void {
    this.columns = columns;
    const hasGeometry = columns.some(({ role }) => role === 'geometry');
    this.selects = [];
    const rows = columns.map(({ name, role, values }, index) => {
      const row = make('label', 'column');
      const select = make('select');
      select.append(option('', 'not used'), ...ROLES.map((role) => option(role, NAMES[role])));
      select.value = role ?? '';
      select.addEventListener('change', () => this.choose(index));
      this.selects.push(select);
      const texts = make('span', 'column-texts');
      texts.append(make('span', 'column-name', name), make('span', 'quiet', values.join(' · ') || 'no values seen'));
      row.append(texts, select);
      return row;
    });
    this.element.classList.toggle('with-geometry', hasGeometry);
    this.element.replaceChildren(...rows);
    this.mark();
  }

  /**
   * The parameters of the columns. Without a change they are left out, so that the server reads the file as it would by itself; apart
   * from the weight if `hasLayer`: an existing layer may have one of another name.
   */
  parameters(hasLayer: boolean): URLSearchParams {
    const parameters = new URLSearchParams();
    const isChanged = (roles: readonly Role[]) => roles.some((role) => this.columnOf(role) !== this.columns.findIndex((column) => column.role === role));
    const others = ROLES.filter((role) => !COORDINATES.includes(role));
    if (isChanged(COORDINATES)) {
      for (const role of COORDINATES) if (this.columnOf(role) >= 0) parameters.set(role, this.nameOf(this.columnOf(role)));
    }
    for (const role of others) {
      if (!isChanged([role]) && !(hasLayer && role === 'weight')) continue;
      parameters.set(role, this.columnOf(role) < 0 ? 'none' : this.nameOf(this.columnOf(role)));
    }
    return parameters;
  }

  private columnOf(role: Role): number {
    return this.selects.findIndex(({ value }) => value === role);
  }

  /** The name of a column, or its number where the name would mean something else. */
  private nameOf(index: number): string {
    const { name } = this.columns[index]!;
    const isPlain = name !== 'none' && this.columns.filter((column) => column.name.toLowerCase() === name.toLowerCase()).length === 1;
    return isPlain ? name : String(index + 1);
  }

  /** Takes the role of a column from the others that have it. */
  private choose(index: number): void {
    const role = this.selects[index]!.value as Role | '';
    this.selects.forEach((select, other) => {
      const isSame = select.value === role;
      const isOtherKind = role === 'geometry' ? ['lon', 'lat'].includes(select.value) : ['lon', 'lat'].includes(role) && select.value === 'geometry';
      if (role && other !== index && (isSame || isOtherKind)) select.value = '';
    });
    this.mark();
    this.changed();
  }

  /** Columns that are used stand out. */
  private mark(): void {
    for (const select of this.selects) select.parentElement!.classList.toggle('used', select.value !== '');
  }
}
