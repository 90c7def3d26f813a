import type { Value } from './client.js';
import { readableUnit } from './readable.js';

/** Formats a number; small ones as in the legend: `4.264e−6`. */
function number(value: number, digits = 4): string {
  const rounded = Number(value.toPrecision(digits));
  if (rounded === 0 || Math.abs(rounded) >= 1e-3) return rounded.toLocaleString('en', { maximumFractionDigits: 12 });
  return rounded.toExponential().replaceAll('-', '−');
}
const count = (points: number) => `${points.toLocaleString('en')} ${points === 1 ? 'point' : 'points'}`;

/** An element with a text. */
export function text(tag: keyof HTMLElementTagNameMap, content: string, className = ''): HTMLElement {
  return Object.assign(document.createElement(tag), { className, textContent: content });
}

/** A value as text: `0.042 points per km²`. `reference` is the value that sets the unit, such as the maximum of a legend. */
export function amountOf({ value, unit }: Value, reference?: number | null): string {
  if (value === null) return 'No value';
  const readable = readableUnit(unit, reference ?? value);
  return `${number(readable.factor * value)} ${readable.unit}`;
}

/** A value as an element: the amount, its percentile, and the number and categories of the points nearby. */
export function describe(value: Value, reference?: number | null): HTMLElement {
  const box = text('div', '', 'kiln-value');
  box.append(text('strong', amountOf(value, reference)));
  if (value.percentile) {
    box.append(text('p', `At or above ${Math.floor(value.percentile)} % of the map at this zoom`));
  }
  const reach = value.radius_m < 1000 ? `${number(value.radius_m, 3)} m` : `${number(value.radius_m / 1000, 3)} km`;
  box.append(text('p', `${count(value.points)} within ${reach}`));
  if (value.categories?.length) {
    const list = text('ol', '', 'kiln-categories');
    for (const { name, points } of value.categories) {
      const item = text('li', '');
      item.append(text('span', name), text('span', points.toLocaleString('en'), 'kiln-count'));
      list.append(item);
    }
    box.append(list);
  }
  return box;
}
