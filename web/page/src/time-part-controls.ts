import { make, option } from './dom.js';
import { describe, hasParts, PARTS, VALUES, type Part, type TimeParts } from './time-parts.js';
import { allZones } from './zones.js';

const TITLES: Record<Part, string> = { hours: 'Hours of the day', weekdays: 'Days of the week', months: 'Months' };

/** Lists all time zones in a select element. */
export function listZones(select: HTMLSelectElement, zone: string): void {
  const zones = allZones();
  // The name in a URL may be an alias that the browser does not list.
  const all = zones.includes(zone) ? zones : [zone, ...zones];
  select.replaceChildren(...all.map((name) => option(name, name.replaceAll('_', ' '))));
  select.value = zone;
}

/** The controls of a filter by hours, days of the week and months, in a details element. */
export class TimePartControls {
  private readonly boxes = new Map<Part, HTMLInputElement[]>();
  private readonly clear = make('button', 'plain', 'Clear');
  private readonly total = make('output');
  private parts: TimeParts = { hours: [], weekdays: [], months: [] };

  /** `changed` is called with each new filter. */
  constructor(box: HTMLElement, private readonly changed: (parts: TimeParts) => void, ...more: HTMLElement[]) {
    const summary = make('summary', '', 'Hours, days and months ');
    summary.append(this.total);
    this.clear.type = 'button';
    this.clear.addEventListener('click', () => this.changed({ hours: [], weekdays: [], months: [] }));
    box.replaceChildren(summary, ...PARTS.map((part) => this.group(part)), ...more, this.clear);
    box.addEventListener('input', () => this.read());
    this.show(this.parts);
  }

  /** Updates the controls to a filter. */
  show(parts: TimeParts): void {
    this.parts = parts;
    for (const [part, boxes] of this.boxes) for (const box of boxes) box.checked = parts[part].includes(Number(box.value));
    this.total.textContent = PARTS.filter((part) => parts[part].length).map((part) => describe(part, parts[part])).join(' · ') || 'all';
    this.clear.hidden = !hasParts(parts);
  }

  /** Shows or hides the hours of the day. */
  showHours(isShown: boolean): void {
    this.boxes.get('hours')![0]!.closest<HTMLElement>('.chips')!.hidden = !isShown;
  }

  private group(part: Part): HTMLElement {
    const group = make('div', `chips ${part}`);
    group.setAttribute('role', 'group');
    group.setAttribute('aria-label', TITLES[part]);
    const { first, labels } = VALUES[part];
    const boxes = labels.map((label, i) => {
      const chip = make('label');
      const box = make('input');
      box.type = 'checkbox';
      box.value = String(first + i);
      box.name = part;
      chip.append(box, make('span', '', label));
      group.append(chip);
      return box;
    });
    this.boxes.set(part, boxes);
    return group;
  }

  private read(): void {
    const parts = { ...this.parts };
    for (const [part, boxes] of this.boxes) {
      const values = boxes.filter(({ checked }) => checked).map(({ value }) => Number(value));
      // All values are no filter.
      parts[part] = values.length < boxes.length ? values : [];
    }
    if (PARTS.some((part) => String(parts[part]) !== String(this.parts[part]))) this.changed(parts);
  }
}
