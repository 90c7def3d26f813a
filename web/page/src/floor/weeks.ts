import { instantOf, localDay } from '../zones.js';

const DAY_MS = 86_400_000;

/** A week from Monday to Sunday in a time zone. */
export interface Week {
  /** The ISO 8601 week, such as `2024-W02`. */
  id: string;
  /** The dates, such as `8 – 14 Jan 2024`. */
  label: string;
  /** The first instant, in milliseconds since 1970 UTC. */
  start: number;
  /** The first instant of the next week. */
  end: number;
  /** Whether the whole week is within the times of the data. */
  isComplete: boolean;
}

/** The weeks that overlap a time range, at most `limit`, the last ones. */
export function weeksOf([first, last]: [number, number], zone: string, limit = 520): Week[] {
  const weeks: Week[] = [];
  for (let monday = mondayBefore(localDay(last, zone)); weeks.length < limit; monday -= 7 * DAY_MS) {
    const [start, end] = [instantOf(monday, zone), instantOf(monday + 7 * DAY_MS, zone)];
    if (end <= first) break;
    weeks.unshift({ id: idOf(monday), label: labelOf(monday, monday + 6 * DAY_MS), start, end, isComplete: start >= first && end <= last });
  }
  return weeks;
}

/** The last two weeks, of the complete ones if there are two. Null: there are fewer than two weeks. */
export function lastTwo(weeks: Week[]): [string, string] | null {
  const complete = weeks.filter(({ isComplete }) => isComplete);
  const [before, after] = (complete.length < 2 ? weeks : complete).slice(-2);
  return before && after ? [before.id, after.id] : null;
}

/** The dates of a week, and whether its data are incomplete. */
export const nameOf = ({ label, isComplete }: Week) => (isComplete ? label : `${label} (incomplete)`);

const mondayBefore = (day: number) => day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS;

/** The ISO 8601 week that begins on a Monday. Its year is that of its Thursday. */
function idOf(monday: number): string {
  const year = new Date(monday + 3 * DAY_MS).getUTCFullYear();
  const first = mondayBefore(Date.UTC(year, 0, 4));
  return `${year}-W${String(Math.round((monday - first) / (7 * DAY_MS)) + 1).padStart(2, '0')}`;
}

function labelOf(first: number, last: number): string {
  const format = (day: number, options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(day);
  const isSameMonth = new Date(first).getUTCMonth() === new Date(last).getUTCMonth();
  const start = format(first, isSameMonth ? { day: 'numeric' } : { day: 'numeric', month: 'short' });
  return `${start} – ${format(last, { day: 'numeric', month: 'short', year: 'numeric' })}`;
}
