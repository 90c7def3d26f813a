import { byId, make } from '../dom.js';
import { amount } from './data.js';
import type { CellScale } from './scale.js';

/** Shows the colors of a matrix, with the least, the middle and the greatest value. Null: no values. */
export function showLegend(scale: CellScale | null, unit: string): void {
  const box = byId('legend');
  box.hidden = scale === null;
  if (!scale) return;
  const { min, max } = scale;
  byId('legend-bar').style.background = `linear-gradient(to right, ${scale.css.join(', ')})`;
  const values = min < max ? [min, (min + max) / 2, max] : [min];
  byId('legend-ticks').replaceChildren(...values.map((value) => make('span', '', amount(value))));
  byId('legend-unit').textContent = unit;
}
