import { byId, option } from '../dom.js';
import { defaultLength, lengthOf, lengthsFor, limitedTime, LAST_TIME, wholeBuckets, type FrameLength } from './frames.js';
import { TimeBars } from './time-bars.js';

/** Steps of the sliders. */
const STEPS = 1000;
/** Minimum duration of a frame at normal speed, in milliseconds. */
const FRAME_MS = 600;

const DAY_MS = 86_400_000;

type Window = [number, number];

/** The time range of a layer, with a window that can be dragged, stepped or played. */
export class Times {
  readonly bars = new TimeBars(byId('time-bars'));
  private readonly box = byId('times');
  private readonly from = byId<HTMLInputElement>('from');
  private readonly to = byId<HTMLInputElement>('to');
  private readonly button = byId('play');
  private readonly lengths = byId<HTMLSelectElement>('frame-length');
  private readonly speed = byId<HTMLSelectElement>('speed');
  private range: Window | null = null;
  /** The duration of the buckets of a layer of bins, in milliseconds. 0: its rows are points. */
  private bucket = 0;
  private window: Window | null = null;
  private length: FrameLength | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private playing = false;
  /** Whether the frame requested last is on the map. */
  private hasArrived = true;

  /** `changed` is called with each new window, in milliseconds since 1970 UTC, or null for all times. */
  constructor(private readonly changed: (window: Window | null) => void) {
    this.from.addEventListener('input', () => this.dragged(this.from));
    this.to.addEventListener('input', () => this.dragged(this.to));
    this.button.addEventListener('click', () => (this.playing ? this.stop() : this.play()));
    byId('all-times').addEventListener('click', () => {
      this.stop();
      this.choose(null);
    });
    byId('previous-frame').addEventListener('click', () => this.step(-1));
    byId('next-frame').addEventListener('click', () => this.step(1));
    this.lengths.addEventListener('change', () => this.setLength());
    addEventListener('keydown', (event) => {
      const isTyping = (event.target as HTMLElement).matches?.('input:not([type=range]):not([type=checkbox]), select, textarea');
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !this.range) return;
      if (event.key === ',') this.step(-1);
      else if (event.key === '.') this.step(1);
    });
    this.bars.redrawn = () => this.label();
    this.label();
  }

  /** Whether the animation is playing. */
  get isPlaying(): boolean {
    return this.playing;
  }

  /** Sets the time range of the layer, the selected window, and the duration of buckets of which the range has the begins. */
  setRange(times: Window | null, window: Window | null, bucket = 0): void {
    const range: Window | null = times && [times[0], times[1] + Math.max(bucket - 1, 0)];
    if (String(range) !== String(this.range) || bucket !== this.bucket) {
      this.stop();
      this.bucket = bucket;
      this.range = range && range[1] > range[0] ? range : null;
      const span = this.range ? this.range[1] - this.range[0] : 0;
      this.length = this.range ? defaultLength(span, bucket) : null;
      this.lengths.replaceChildren(...(this.range ? lengthsFor(span, bucket).map(({ name, label }) => option(name, label)) : []));
    }
    this.window = this.range ? window : null;
    const known = this.window && lengthOf(this.window);
    if (known && [...this.lengths.options].some(({ value }) => value === known.name)) this.length = known;
    this.lengths.value = this.length?.name ?? '';
    this.box.hidden = !this.range;
    document.body.classList.toggle('has-times', !this.box.hidden);
    this.label();
  }

  /** Reports that the requested frame is on the map. */
  arrived(): void {
    this.hasArrived = true;
  }

  stop(): void {
    this.playing = false;
    clearTimeout(this.timer);
    this.label();
  }

  private dragged(moved: HTMLInputElement): void {
    // Labels set the sliders to the window before the drag.
    let [low, high] = [this.from.valueAsNumber, this.to.valueAsNumber];
    this.stop();
    if (low >= high) {
      if (moved === this.from) low = high - 1;
      else high = low + 1;
    }
    const isAll = low <= 0 && high >= STEPS;
    this.choose(isAll ? null : [this.timeAt(low), this.timeAt(high)]);
  }

  private play(): void {
    if (!this.range) return;
    this.playing = true;
    if (!this.window) this.choose(this.frameAt(this.range[0]));
    this.scheduleNext();
    this.label();
  }

  private scheduleNext(): void {
    this.timer = setTimeout(() => {
      if (!this.playing || !this.window || !this.range) return;
      if (this.hasArrived) this.choose(this.moved(1));
      this.scheduleNext();
    }, FRAME_MS / Number(this.speed.value));
  }

  /** Selects the frame before or after the current one. */
  private step(by: 1 | -1): void {
    if (!this.range) return;
    this.stop();
    this.choose(this.window ? this.moved(by) : this.frameAt(by > 0 ? this.range[0] : this.range[1]));
  }

  private setLength(): void {
    this.length = lengthsFor(this.range ? this.range[1] - this.range[0] : 0, this.bucket).find(({ name }) => name === this.lengths.value) ?? this.length;
    if (this.range) this.choose(this.frameAt(this.window?.[0] ?? this.range[0]));
  }

  /** The frame that contains a time. */
  private frameAt(time: number): Window {
    const start = this.length!.floor(time);
    return [start, this.length!.after(start)];
  }

  /** The window, moved by one frame; beyond the ends of the range it continues at the other one. A dragged window moves by its length. */
  private moved(by: 1 | -1): Window {
    const [first, last] = this.range!;
    const [start, end] = this.window!;
    const { length } = this;
    if (length && lengthOf(this.window!) === length) {
      const next = length.after(start, by);
      if (next > last || next >= LAST_TIME) return this.frameAt(first);
      return length.after(next) <= first || next === start ? this.frameAt(last) : [next, length.after(next)];
    }
    const span = end - start;
    if (start + by * span > last) return [first, first + span];
    return end + by * span <= first ? [last - span + 1, last + 1] : [start + by * span, end + by * span];
  }

  private choose(chosen: Window | null): void {
    const whole = chosen && wholeBuckets(chosen, this.bucket);
    const window: Window | null = whole && [limitedTime(whole[0]), limitedTime(whole[1])];
    this.window = window;
    this.hasArrived = false;
    this.label();
    this.changed(window);
  }

  private timeAt(step: number): number {
    const [first, last] = this.range!;
    // The end of a window is exclusive.
    return first + ((last - first) * step) / STEPS + (step >= STEPS ? 1 : 0);
  }

  private label(): void {
    this.button.setAttribute('aria-pressed', String(this.playing));
    this.button.setAttribute('aria-label', this.playing ? 'Pause' : 'Play');
    this.button.dataset['sign'] = this.playing ? 'pause' : 'play';
    if (!this.range) return;
    const [first, last] = this.range;
    const [start, end] = this.window ?? this.range;
    const step = (time: number) => Math.round((STEPS * (time - first)) / (last - first));
    const [low, high] = [Math.max(step(start), 0), Math.min(step(end), STEPS)];
    this.from.value = String(low);
    this.to.value = String(high);
    const fill = byId('range-fill');
    fill.style.left = `${(100 * low) / STEPS}%`;
    fill.style.right = `${100 - (100 * high) / STEPS}%`;
    this.bars.place(this.range, [start, end]);
    const text = (time: number) => timeText(time, last - first);
    byId('range-value').textContent = windowText([start, end], last - first);
    this.from.setAttribute('aria-valuetext', text(start));
    this.to.setAttribute('aria-valuetext', text(end));
  }
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** Formats a window. A frame of whole days, a month or a year has its short name: `Fri 2024-03-01`, `2024-03`. */
export function windowText(window: Window, span: number): string {
  const [start, end] = window;
  const iso = (time: number) => new Date(time).toISOString();
  switch (lengthOf(window)?.name) {
    case '1y':
      return iso(start).slice(0, 4);
    case '1mo':
      return iso(start).slice(0, 7);
    case '1d':
      return `${WEEKDAYS[new Date(start).getUTCDay()]} ${iso(start).slice(0, 10)} UTC`;
    case '1w':
      return `${between(iso(start).slice(0, 10), iso(end - DAY_MS).slice(0, 10))} UTC`;
    case undefined:
      break;
    default:
      span = Math.min(span, end - start);
  }
  return `${between(timeText(start, span), timeText(end, span))} UTC`;
}

/** Formats a time range. The end omits the year or day that it shares with the start. */
export function between(start: string, end: string): string {
  const same = end.length < 10 ? 0 : ([11, 5].find((length) => length < end.length && end.startsWith(start.slice(0, length))) ?? 0);
  return `${start} – ${end.slice(same)}`;
}

/** Formats a time with the precision that suits a time span. */
export function timeText(time: number, span: number): string {
  const text = new Date(time).toISOString();
  if (span > 1000 * DAY_MS) return text.slice(0, 7);
  if (span > 60 * DAY_MS) return text.slice(0, 10);
  return text.slice(0, 16).replace('T', ' ');
}
