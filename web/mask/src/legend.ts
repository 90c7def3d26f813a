import { byId, make } from '../../page/src/dom.js';
import type { Cell, Legend, Mask } from './api.js';
import { numberText } from './values.js';

/** The legend, with a mark at the current value. */
export class LegendBar {
  private legend: Legend | null = null;
  private cell: Cell | null = null;

  show(legend: Legend, mask: Mask): void {
    this.legend = legend;
    byId('legend').hidden = false;
    byId('ramp').style.setProperty('--colors', `linear-gradient(to right, ${legend.colors.join(', ')})`);
    byId('ticks').replaceChildren(...tickLabels(legend));
    byId('legend-text').textContent = `Legend: ${legend.colormap} from ${numberText(legend.vmin)} to ${numberText(legend.vmax)}`;
    byId('missing').hidden = mask.missing === 0;
    byId('missing-text').textContent = `No data: ${mask.missing.toLocaleString('en')} of ${(mask.rows * mask.columns).toLocaleString('en')} cells`;
    this.mark(this.cell);
  }

  /** Marks the value of a cell; null marks none. */
  mark(cell: Cell | null): void {
    this.cell = cell;
    const value = cell?.value;
    const { vmin, vmax } = this.legend ?? { vmin: 0, vmax: 0 };
    const marker = byId('marker');
    marker.hidden = typeof value !== 'number' || !(vmin < vmax);
    if (typeof value === 'number') marker.style.left = `${100 * Math.min(Math.max((value - vmin) / (vmax - vmin), 0), 1)}%`;
  }
}

function tickLabels({ ticks }: Legend): HTMLElement[] {
  return ticks.map(({ position, label }) => {
    const tick = make('span', '', label);
    tick.style.left = `${100 * position}%`;
    if (position < 0.04) tick.className = 'first';
    if (position > 0.96) tick.className = 'last';
    return tick;
  });
}
