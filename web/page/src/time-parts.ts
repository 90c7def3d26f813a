/** Filters by parts of the local time. An empty list selects all values. */
export interface TimeParts {
  /** Hours of the day, 0 to 23, ascending. */
  hours: number[];
  /** Days of the week, 0 (Monday) to 6, ascending. */
  weekdays: number[];
  /** Months, 1 to 12, ascending. */
  months: number[];
}
export type Part = keyof TimeParts;

export const PARTS: Part[] = ['hours', 'weekdays', 'months'];
export const NO_PARTS: TimeParts = { hours: [], weekdays: [], months: [] };

/** The values of a part: the first one, and their labels. */
export const VALUES: Record<Part, { first: number; labels: string[] }> = {
  hours: { first: 0, labels: Array.from({ length: 24 }, (_, hour) => String(hour)) },
  weekdays: { first: 0, labels: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] },
  months: { first: 1, labels: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] },
};

/** The ranges of values, which may wrap around: hours 22, 23, 0 and 1 are one range. */
function rangesOf(part: Part, values: number[]): [number, number][] {
  const { first, labels: { length } } = VALUES[part];
  const has = new Set(values);
  if (has.size >= length) return [[first, first + length - 1]];
  const before = (value: number) => first + ((value - first + length - 1) % length);
  const after = (value: number) => first + ((value - first + 1) % length);
  const starts = [...has].filter((value) => !has.has(before(value))).sort((a, b) => a - b);
  return starts.map((start) => {
    let end = start;
    while (has.has(after(end))) end = after(end);
    return [start, end];
  });
}

/** Values as a parameter of the server, such as `7-9,16` or `mon-fri`. */
export function textOf(part: Part, values: number[]): string {
  const { first, labels } = VALUES[part];
  const name = (value: number) => labels[value - first]!.toLowerCase();
  return rangesOf(part, values).map(([start, end]) => (start === end ? name(start) : `${name(start)}-${name(end)}`)).join(',');
}

/** Values as text for people, such as `7–9, 16` or `Mon–Fri`. */
export function describe(part: Part, values: number[]): string {
  const { first, labels } = VALUES[part];
  const name = (value: number) => labels[value - first]!;
  return rangesOf(part, values).map(([start, end]) => (start === end ? name(start) : `${name(start)}–${name(end)}`)).join(', ');
}

/** Parses values as {@link textOf} writes them. All values are an empty list. Null: the text is invalid. */
export function parseValues(part: Part, text: string | null): number[] | null {
  const { first, labels } = VALUES[part];
  const names = labels.map((label) => label.toLowerCase());
  const indexOf = (name: string) => (part === 'months' && /^\d+$/.test(name) ? Number(name) - 1 : names.indexOf(name));
  const found = new Set<number>();
  for (const range of text ? text.split(',') : []) {
    const [start = -1, end = start] = range.split('-').map((name) => indexOf(name.trim().toLowerCase()));
    if (![start, end].every((index) => index >= 0 && index < names.length)) return null;
    for (let at = start; ; at = (at + 1) % names.length) {
      found.add(at + first);
      if (at === end) break;
    }
  }
  return found.size < names.length ? [...found].sort((a, b) => a - b) : [];
}

/** The same, with an empty list in place of an invalid text. */
export const valuesOf = (part: Part, text: string | null) => parseValues(part, text) ?? [];

export const hasParts = (parts: TimeParts) => PARTS.some((part) => parts[part].length > 0);

/** The parameters of a filter. The time zone is included if the filter needs it. */
export function partParameters(parts: TimeParts, zone: string): { hours?: string; weekdays?: string; months?: string; tz?: string } {
  const chosen = PARTS.filter((part) => parts[part].length > 0).map((part) => [part, textOf(part, parts[part])]);
  return chosen.length ? { ...Object.fromEntries(chosen), tz: zone } : {};
}
