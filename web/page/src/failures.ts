import { byId } from './dom.js';

/** Delays before the first retry, and between the later ones at most, in milliseconds. */
const FIRST_MS = 2000;
const MAX_MS = 30_000;
const GROWTH = 1.6;

/** Something that has failed to load. */
export interface Failure {
  /** What has failed: `12 tiles failed to load`. */
  title: string;
  /** Why, in a sentence of the server or of the browser. */
  reason: string;
  /** Loads it again, and then clears or replaces the failure. */
  retry(): void | Promise<void>;
}

/**
 * The banner with what has failed. Retries it with growing delays, when the browser is online again, and by a button, until nothing
 * is left.
 */
export class Failures {
  /** What the button does in place of a retry, while all wait for the visitor: without a key, requests would fail for ever. */
  private static instead: (() => void) | null = null;

  /** Stops the retries, until the page loads again. The button has another text, and calls `instead`. */
  static stop(text: string, instead: () => void): void {
    Failures.instead = instead;
    byId('retry').textContent = text;
    byId('banner-retries').hidden = true;
  }

  /** By source, in the order of their importance. */
  private readonly current = new Map<string, Failure>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private delay = FIRST_MS;

  constructor(
    /** The sources, the most important first: the banner shows the first that has failed. */
    private readonly sources: readonly string[],
    /** Called when nothing is left. */
    private readonly recovered: () => void = () => undefined,
  ) {
    byId('retry').addEventListener('click', () => (Failures.instead ? this.any && Failures.instead() : this.retryNow()));
    addEventListener('online', () => Failures.instead ?? this.retryNow());
  }

  /** Whether anything has failed. */
  get any(): boolean {
    return this.current.size > 0;
  }

  /** The failure in the banner. */
  get first(): Failure | undefined {
    const source = this.sources.find((source) => this.current.has(source));
    return source === undefined ? undefined : this.current.get(source);
  }

  set(source: string, failure: Failure): void {
    this.current.set(source, failure);
    this.show();
    this.timer ??= this.schedule();
  }

  clear(source: string): void {
    if (!this.current.delete(source)) return;
    this.show();
    if (this.any) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.delay = FIRST_MS;
    this.recovered();
  }

  private retryNow(): void {
    if (!this.any) return;
    clearTimeout(this.timer);
    this.delay = FIRST_MS;
    void this.retry();
  }

  private schedule(): ReturnType<typeof setTimeout> | undefined {
    if (Failures.instead) return undefined;
    const timer = setTimeout(() => Failures.instead ?? void this.retry(), this.delay);
    this.delay = Math.min(this.delay * GROWTH, MAX_MS);
    return timer;
  }

  private async retry(): Promise<void> {
    byId('banner').setAttribute('aria-busy', 'true');
    await Promise.all([...this.current.values()].map((failure) => failure.retry()));
    byId('banner').setAttribute('aria-busy', 'false');
    clearTimeout(this.timer);
    this.timer = this.any ? this.schedule() : undefined;
  }

  private show(): void {
    const failure = this.first;
    const put = (id: string, text = '') => {
      // A screen reader would announce an equal text again.
      if (byId(id).textContent !== text) byId(id).textContent = text;
    };
    put('banner-title', failure?.title);
    put('banner-reason', failure && sentence(failure.reason));
    byId('banner-retries').hidden = Failures.instead !== null;
    byId('banner').hidden = !failure;
  }
}

/** A problem's detail as a sentence. */
const sentence = (text: string) => text && `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
