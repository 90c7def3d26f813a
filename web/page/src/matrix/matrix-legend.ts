import { byId, make } from '../dom.js';
import { amount } from './data.js';
import type { CellScale } from './scale.js';

/** The minimum range of counts for which the middle is close to a whole number. */
const MIN_RANGE = 20;

/** Shows the colors of a matrix, with the least, the middle and the greatest value; those of counts are whole numbers. Null: no values. */
export function showLegend(scale: CellScale | null, unit: string, isCount: boolean): void {
  const box = byId('legend');
  box.hidden = scale === null;
  if (!scale) return;
  const { min, max } = scale;
  byId('legend-bar').style.background = `linear-gradient(to right, ${scale.css.join(', ')})`;
  const middle = (min + max) / 2;
  const hasMiddle = !isCount || Number.isInteger(middle) || max - min >= MIN_RANGE;
  const values = min < max ? [min, ...(hasMiddle ? [isCount ? Math.round(middle) : middle] : []), max] : [min];
  byId('legend-ticks').replaceChildren(...values.map((value) => make('span', '', amount(value))));
  byId('legend-unit').textContent = unit;
}
