import { byId } from './dom.js';

/** Steps of the sliders. */
const STEPS = 1000;
/** Number of frames of an animation over all times, unless a time range is selected. */
const FRAMES = 14;
/** Minimum duration of a frame, in milliseconds. */
const FRAME_MS = 600;

const DAY_MS = 86_400_000;

/** The time range of a layer, with a window that can be dragged or played. */
export class Times {
  private readonly box = byId('times');
  private readonly from = byId<HTMLInputElement>('from');
  private readonly to = byId<HTMLInputElement>('to');
  private readonly button = byId('play');
  private range: [number, number] | null = null;
  private window: [number, number] | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private playing = false;
  /** Whether the frame requested last is on the map. */
  private hasArrived = true;

  /** `changed` is called with each new window, in milliseconds since 1970 UTC, or null for all times. */
  constructor(private readonly changed: (window: [number, number] | null) => void) {
    const dragged = (moved: HTMLInputElement) => {
      this.stop();
      if (this.from.valueAsNumber >= this.to.valueAsNumber) {
        if (moved === this.from) this.from.value = String(this.to.valueAsNumber - 1);
        else this.to.value = String(this.from.valueAsNumber + 1);
      }
      const isAll = this.from.valueAsNumber <= 0 && this.to.valueAsNumber >= STEPS;
      this.choose(isAll ? null : [this.timeAt(this.from.valueAsNumber), this.timeAt(this.to.valueAsNumber)]);
    };
    this.from.addEventListener('input', () => dragged(this.from));
    this.to.addEventListener('input', () => dragged(this.to));
    this.button.addEventListener('click', () => (this.playing ? this.stop() : this.play()));
    byId('all-times').addEventListener('click', () => {
      this.stop();
      this.choose(null);
    });
    this.label();
  }

  /** Whether the animation is playing. */
  get isPlaying(): boolean {
    return this.playing;
  }

  /** Sets the time range of the layer and the selected window. */
  setRange(range: [number, number] | null, window: [number, number] | null): void {
    if (String(range) !== String(this.range)) this.stop();
    this.range = range && range[1] > range[0] ? range : null;
    this.window = this.range ? window : null;
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

  private play(): void {
    if (!this.range) return;
    this.playing = true;
    const [first, last] = this.range;
    if (!this.window) this.choose([first, first + frame(last - first)]);
    else if (this.window[1] >= last) this.choose(this.moved(first - this.window[0]));
    this.scheduleNext();
    this.label();
  }

  private scheduleNext(): void {
    this.timer = setTimeout(() => {
      if (!this.playing || !this.window || !this.range) return;
      if (this.hasArrived) {
        const length = this.window[1] - this.window[0];
        const isLast = this.window[1] >= this.range[1];
        this.choose(isLast ? [this.range[0], this.range[0] + length] : this.moved(length / 2));
      }
      this.scheduleNext();
    }, FRAME_MS);
  }

  private moved(by: number): [number, number] {
    return [this.window![0] + by, this.window![1] + by];
  }

  private choose(window: [number, number] | null): void {
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
    const text = (time: number) => timeText(time, last - first);
    byId('range-value').textContent = `${between(text(start), text(end))} UTC`;
    this.from.setAttribute('aria-valuetext', text(start));
    this.to.setAttribute('aria-valuetext', text(end));
  }
}

/** The duration that a frame covers: a fraction of `span`, rounded to a common unit. */
function frame(span: number): number {
  const hour = DAY_MS / 24;
  const units = [hour / 60, hour / 4, hour, 3 * hour, 6 * hour, 12 * hour, DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 365.25 * DAY_MS];
  const target = (2 * span) / FRAMES;
  return units.find((unit) => unit >= 0.6 * target) ?? target;
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
