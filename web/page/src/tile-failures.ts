import { request, type KilnTileLayer } from 'kiln-leaflet';

import { debounced } from './dom.js';
import type { Failures } from './failures.js';

/** The delay between the first failed tile and its report, in milliseconds: often others fail too. */
const TILES_MS = 150;

/** Reports the failed tiles of a layer in the banner, and requests them again. */
export class TileFailures {
  constructor(
    /** The tiles on the map. Null: none. */
    private readonly tiles: () => KilnTileLayer | null,
    private readonly failures: Failures,
    /** The source of the failures. */
    private readonly source: string,
    /** Called after each report. */
    private readonly reported: () => void,
  ) {}

  /** Reports the number of failed tiles, after a moment. */
  readonly report = debounced(() => void this.check(), TILES_MS);

  /** Clears the report if all tiles have loaded. */
  clearIfComplete(): void {
    // Leaflet reports the end of loading even if all tiles have failed.
    if (this.tiles()?.isComplete()) this.failures.clear(this.source);
  }

  /** Reports the number of failed tiles. A request for one of them finds the reason, and whether the others may be requested again. */
  private async check(isRetry = false): Promise<void> {
    const failed = () => this.tiles()?.failedTiles() ?? [];
    const [first, ...others] = failed();
    // The tiles have been removed.
    if (first === undefined) return isRetry ? this.failures.clear(this.source) : undefined;
    const title = others.length ? `${others.length + 1} tiles failed to load` : '1 tile failed to load';
    const report = (reason: string) => {
      this.failures.set(this.source, { title, reason, retry: () => this.check(true) });
      this.reported();
    };
    report(this.failures.first?.reason ?? '');
    try {
      await request(first, { cache: 'no-cache' });
      if (isRetry) this.tiles()?.retry();
    } catch (error) {
      if (failed().length) report((error as Error).message);
    }
  }
}
