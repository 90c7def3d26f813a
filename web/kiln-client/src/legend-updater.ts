import type { HeatSource } from './heat-source.js';
import type { Legend } from './client.js';
import { drawLegend } from './legend-view.js';

/** Draws the legend of a layer into a box, again when the style or the zoom has changed. */
export class LegendUpdater {
  private pending: AbortController | null = null;
  private zoom: number | null = null;
  private readonly restyled = (): void => this.update(this.zoom ?? 0, true);

  constructor(private readonly box: HTMLElement, private readonly source: HeatSource, private readonly title?: string) {
    source.on('restyle', this.restyled);
  }

  /** Draws the legend of a zoom of tiles with 256 pixels. */
  update(zoom: number, isForced = false): void {
    const rounded = Math.round(zoom);
    if (rounded === this.zoom && !isForced) return;
    this.zoom = rounded;
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    this.source
      .legendAt(rounded, signal)
      .then((legend: Legend) => {
        if (!signal.aborted) drawLegend(this.box, legend, this.title);
      })
      .catch(() => {
        // The map stays usable without a legend.
        if (!signal.aborted) this.box.replaceChildren();
      });
  }

  /** Ends the updates. */
  stop(): void {
    this.pending?.abort();
    this.source.off('restyle', this.restyled);
  }
}
