const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4 * DAY;

/** The limits of times in requests and links: years have four digits. */
export const FIRST_TIME = Date.parse('0000-01-01T00:00:00Z');
export const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');
export const limitedTime = (time: number) => Math.min(Math.max(time, FIRST_TIME), LAST_TIME);

/** The duration of a frame. Frames start at round times in UTC: a day at midnight, a week on Monday, a month on its first day. */
export interface FrameLength {
  name: string;
  label: string;
  /** In milliseconds; of months and years, the mean. */
  ms: number;
  /** The start of the frame with a time. */
  floor(time: number): number;
  /** The start of the frame `by` frames after the one that starts at `start`. */
  after(start: number, by?: number): number;
}

function fixed(name: string, label: string, ms: number, offset = 0): FrameLength {
  return {
    name,
    label,
    ms,
    floor: (time) => limitedTime(Math.floor((time - offset) / ms) * ms + offset),
    after: (start, by = 1) => limitedTime(start + by * ms),
  };
}

function months(name: string, label: string, count: number): FrameLength {
  const monthOf = (time: number) => 12 * new Date(time).getUTCFullYear() + new Date(time).getUTCMonth();
  const start = (month: number) => {
    const date = new Date(0);
    // Date.UTC would place the years 0 to 99 in the 20th century.
    date.setUTCFullYear(Math.floor(month / 12), ((month % 12) + 12) % 12, 1);
    return date.getTime();
  };
  return {
    name,
    label,
    ms: (count * 365.25 * DAY) / 12,
    floor: (time) => limitedTime(start(Math.floor(monthOf(time) / count) * count)),
    after: (time, by = 1) => limitedTime(start(monthOf(time) + by * count)),
  };
}

export const LENGTHS: FrameLength[] = [
  fixed('1m', '1 minute', MINUTE),
  fixed('5m', '5 minutes', 5 * MINUTE),
  fixed('15m', '15 minutes', 15 * MINUTE),
  fixed('1h', '1 hour', HOUR),
  fixed('3h', '3 hours', 3 * HOUR),
  fixed('6h', '6 hours', 6 * HOUR),
  fixed('12h', '12 hours', 12 * HOUR),
  fixed('1d', '1 day', DAY),
  fixed('1w', '1 week', 7 * DAY, FIRST_MONDAY),
  months('1mo', '1 month', 1),
  months('3mo', '3 months', 3),
  months('1y', '1 year', 12),
  months('10y', '10 years', 120),
];

/** Number of frames that an animation should have, about. */
const FRAMES = 14;
const MAX_FRAMES = 1000;

/** The lengths of frames that suit a time span: two frames or more, not too many, and no shorter than a bucket. Never empty. */
export function lengthsFor(span: number, bucket: number): FrameLength[] {
  const whole = LENGTHS.filter(({ ms }) => ms >= bucket);
  const suitable = whole.filter(({ ms }) => ms <= span && span / ms <= MAX_FRAMES);
  return suitable.length ? suitable : [span < Math.max(MINUTE, 2 * bucket) ? whole[0]! : LENGTHS.at(-1)!];
}

/** The default length of the frames of a time span. */
export function defaultLength(span: number, bucket: number): FrameLength {
  const lengths = lengthsFor(span, bucket);
  return lengths.find(({ ms }) => ms >= (0.7 * span) / FRAMES) ?? lengths.at(-1)!;
}

/** A window at the edges of buckets: the server does not know the parts of one. A bucket of 0 ms is no bucket. */
export function wholeBuckets([start, end]: [number, number], bucket: number): [number, number] {
  if (!bucket) return [start, end];
  const first = Math.round(start / bucket) * bucket;
  return [first, Math.max(Math.round(end / bucket) * bucket, first + bucket)];
}

/** The length of a window that is exactly one frame, or undefined. */
export const lengthOf = ([start, end]: [number, number]) => LENGTHS.find((length) => length.floor(start) === start && length.after(start) === end);
