import type { Catalog, LayerEntry } from './catalog.js';
import { emptySentence, showDamage } from './damage.js';
import { byId, make, option, points } from './dom.js';

const UNITS: Record<string, string> = { per_km2: 'per km²', per_m2: 'per m²', per_px: 'per pixel' };

/** What the colors of a layer mean, in one sentence. */
export function sentenceOf(layer: LayerEntry, agg: string): string {
  const { points: count, weight, style } = layer;
  if (!count) return `${emptySentence(layer)}.`;
  const unit = UNITS[style['units'] ?? 'per_km2'] ?? '';
  const name = weight ?? 'weights';
  const meaning =
    agg === 'mean' ? `the mean of ${name}` : agg === 'max' ? `the maximum of ${name}` : agg === 'sum' && weight ? `the sum of ${weight} ${unit}` : `the number of points ${unit}`;
  return `${points(count)}; the color is ${meaning}.`;
}

/** Lists the layers in the title of the panel. A layer alone is a plain title. */
export function listLayers({ layers }: Catalog): void {
  byId('layer').replaceChildren(...layers.map(({ name, title }) => option(name, title)));
  byId('layer').hidden = layers.length < 2;
  byId('title').classList.toggle('unseen', layers.length > 1);
}

/** Shows the title, the sentence and the source of a layer. */
export function showLayer(layer: LayerEntry | undefined, sentence: string): void {
  byId<HTMLSelectElement>('layer').value = layer?.name ?? '';
  byId('title').textContent = byId('sheet-title').textContent = layer?.title ?? '';
  byId('about').textContent = sentence;
  showDamage(layer, byId('about'));
  // A closed sheet has nothing but the title.
  if (layer?.damaged) byId('sheet-title').append(' ', make('span', 'error', '· incomplete'));
  byId('source').textContent = layer?.attribution ? `Source: ${layer.attribution}` : '';
  byId('source').hidden = !layer?.attribution;
}
