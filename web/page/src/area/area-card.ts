import { readableUnit } from 'kiln-leaflet';

import { byId, make, number, points } from '../dom.js';
import type { Statistics } from '../catalog.js';
import { bars } from './bars.js';

/** Number of categories in the card. */
const TOP = 5;

/** Formats a value with four significant digits. */
function amount(value: number): string {
  const rounded = Number(value.toPrecision(4));
  const isTiny = rounded !== 0 && Math.abs(rounded) < 1e-3;
  return (isTiny ? rounded.toExponential() : rounded.toLocaleString('en', { maximumFractionDigits: 6 })).replaceAll('-', '−');
}

const shareText = (share: number) => (share > 0 && share < 0.005 ? '< 1 %' : `${Math.round(100 * share)} %`);

/** The card of the statistics of an area. */
export class AreaCard {
  private readonly box = byId('area');
  private readonly body = byId('area-body');

  constructor(actions: { view(): void; finish(): void; cancel(): void; zoom(): void; retry(): void }) {
    const on = (id: string, then: () => void) => byId(id).addEventListener('click', then);
    on('area-view', actions.view);
    on('area-finish', actions.finish);
    on('area-close', actions.cancel);
    on('area-zoom', actions.zoom);
    on('area-retry', actions.retry);
    on('area-copy', () => void this.copy());
  }

  hide(): void {
    this.box.hidden = true;
  }

  /** Explains how to draw. */
  explain(shape: 'box' | 'polygon', corners = 0): void {
    const steps = corners < 3 ? 'Click the corners of the area on the map.' : 'Click the first corner, or press Enter, to finish.';
    this.show('drawing', make('p', '', shape === 'box' ? 'Drag a box on the map.' : steps), make('p', 'quiet', 'Esc cancels.'));
    byId('area-finish').hidden = shape === 'box' || corners < 3;
  }

  wait(): void {
    this.box.setAttribute('aria-busy', 'true');
    if (this.box.hidden || this.box.dataset['state'] !== 'done') this.show('waiting', make('p', 'quiet', 'Computing…'));
  }

  fail(message: string): void {
    this.show('failed', make('p', 'error', message));
  }

  /** Shows the statistics of an area of `km2` in a layer with a weight column, or null. */
  report(statistics: Statistics, km2: number, weight: string | null): void {
    const { points: count, weight: weights, distributions, categories } = statistics;
    const list = make('dl');
    const row = (name: string, value: string) => list.append(make('dt', '', name), make('dd', '', value));
    if (weights) {
      row(`Sum of ${weight ?? 'weights'}`, amount(weights.sum));
      row('Mean', amount(weights.mean));
      row('Range', `${amount(weights.min)} to ${amount(weights.max)}`);
    }
    row('Area', `${amount(km2)} km²`);
    if (count && km2 > 0) {
      const { factor, unit } = readableUnit('Points per km²', count / km2);
      row(unit, amount((factor * count) / km2));
    }
    const parts: HTMLElement[] = [make('p', 'count', points(count)), list];
    const top = distributions?.categories?.slice(0, TOP) ?? [];
    if (top.length) {
      const heading = make('h3', '', 'Largest categories');
      const items = make('ol', 'top');
      for (const { name, points: own } of top) {
        const item = make('li');
        item.style.setProperty('--share', `${(100 * own) / count}%`);
        item.append(make('span', '', name), make('span', 'share', `${number(own)} · ${shareText(own / count)}`));
        items.append(item);
      }
      parts.push(heading, items);
      const more = (categories?.total ?? 0) - top.length;
      if (more > 0) parts.push(make('p', 'quiet', `and ${number(more)} more`));
    }
    const histogram = distributions?.weights;
    const [min, second, max] = [0, 1, -1].map((index) => histogram?.edges.at(index) ?? 0) as [number, number, number];
    if (histogram && max > min) {
      const ends = make('p', 'ends quiet');
      const isEven = Math.abs((second - min) * histogram.points.length - (max - min)) < 1e-6 * (max - min);
      ends.append(make('span', '', amount(min)), make('span', '', isEven ? '' : 'logarithmic'), make('span', '', amount(max)));
      parts.push(make('h3', '', `Points by ${weight ?? 'weight'}`), bars(histogram.points, `Histogram of ${weight ?? 'weights'}`), ends);
    }
    if (distributions?.times) {
      const { start, end, points: counts } = distributions.times;
      const ends = make('p', 'ends quiet');
      ends.append(make('span', '', start.slice(0, 10)), make('span', '', end.slice(0, 10)));
      parts.push(make('h3', '', 'Points over time'), bars(counts, 'Points over time'), ends);
    }
    this.show('done', ...parts);
  }

  private show(state: 'drawing' | 'waiting' | 'failed' | 'done', ...content: HTMLElement[]): void {
    this.box.hidden = false;
    this.box.dataset['state'] = state;
    this.box.setAttribute('aria-busy', String(state === 'waiting'));
    this.body.replaceChildren(...content);
    byId('area-finish').hidden = true;
    byId('area-view').hidden = state !== 'drawing';
    byId('area-retry').hidden = state !== 'failed';
    for (const id of ['area-zoom', 'area-copy']) byId(id).hidden = state !== 'done';
  }

  /** Copies the link to the view with the area. */
  private async copy(): Promise<void> {
    const button = byId('area-copy');
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = 'Copied';
    } catch {
      // Without clipboard access (plain HTTP) the address bar has the link.
      button.textContent = 'See the address bar';
    }
    setTimeout(() => (button.textContent = 'Copy link'), 2500);
  }
}
