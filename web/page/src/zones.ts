const DAY_MS = 86_400_000;

/** Whether the browser knows an IANA time zone. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** The time zone of the browser. */
export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** All time zones that the browser knows, and UTC. */
export const allZones = () => [...new Set(['UTC', browserZone(), ...Intl.supportedValuesOf('timeZone')])].sort();

/** The offset of a time zone from UTC at an instant, in milliseconds. */
export function offsetAt(instant: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
  });
  const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)])) as Record<string, number>;
  return Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second']) - Math.floor(instant / 1000) * 1000;
}

/** The calendar day of an instant, as the midnight of that day in UTC. */
export const localDay = (instant: number, zone: string) => Math.floor((instant + offsetAt(instant, zone)) / DAY_MS) * DAY_MS;

/** The instant of a local date and time, given as the instant at which clocks in UTC show it. */
export function instantOf(local: number, zone: string): number {
  // The offset may change between the guess and the instant.
  const guess = local - offsetAt(local, zone);
  return local - offsetAt(guess, zone);
}

/** An instant as local date and time without an offset, such as `2024-03-01T12:00`. */
export function localText(instant: number, zone: string): string {
  const text = new Date(instant + offsetAt(instant, zone)).toISOString().slice(0, -1);
  return text.replace(/\.000$/, '').replace(/:00$/, '');
}

const LOCAL = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?$/;

/** A time as the API accepts it, as local date with or without a time: a date, a year, a local time, one with an offset, or Unix seconds. Null: the text is invalid. */
export function localTimeOf(text: string, zone: string): string | null {
  if (/^\d{4}$/.test(text)) return `${text}-01-01`;
  if (LOCAL.test(text)) return Number.isNaN(Date.parse(text)) ? null : text;
  // A plus in a query string is a space.
  const instant = /^\d+$/.test(text) ? 1000 * Number(text) : /T.*(Z|[+\- ]\d\d:\d\d)$/i.test(text) ? Date.parse(text.replace(/ (?=\d\d:\d\d$)/, '+')) : NaN;
  return Number.isFinite(instant) && instant < Date.UTC(9999, 11, 31) ? localText(instant, zone) : null;
}

/** The instant of a local date, with or without a time. NaN: the text is no date. */
export function instantOfText(text: string, zone: string): number {
  const local = Date.parse(text.length > 10 ? `${text}Z` : text);
  return Number.isFinite(local) ? instantOf(local, zone) : NaN;
}
