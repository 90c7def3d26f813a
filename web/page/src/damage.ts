import './damage.css';
import { byId, number, points } from './dom.js';
import type { LayerEntry } from './catalog.js';

/** The damaged parts of a layer, which the server leaves out. */
export interface Damage {
  segments: number;
  /** Null: the number is not published. */
  points: number | null;
  reasons: string[];
}

/** A layer none of whose points can be read. */
export interface Unreadable {
  name: string;
  reason: string;
  /** What to do. Null: the layer itself is not the cause. */
  remedy: string | null;
}

/** Why a layer is not on the page, and what to do, in one sentence. */
export const unreadableSentence = ({ name, reason, remedy }: Unreadable): string =>
  `The layer \`${name}\` cannot be read: ${reason}${remedy ? `; ${remedy}` : ''}.`;

/** What is left out of the pictures of a layer, in one sentence. */
export function damageSentence({ segments, points: count }: Damage): string {
  const parts = segments === 1 ? 'a damaged segment' : `${number(segments)} damaged segments`;
  return count === null ? `Points in ${parts} are left out.` : `${points(count)} in ${parts} ${count === 1 ? 'is' : 'are'} left out.`;
}

/** Why a layer has no points to draw. */
export function emptySentence({ damaged }: Pick<LayerEntry, 'damaged'>): string {
  return damaged ? 'All points are damaged' : 'No points yet';
}

/** Shows that a layer is damaged, below its description. */
export function showDamage(layer: LayerEntry | undefined): void {
  document.getElementById('damage')?.remove();
  if (!layer?.damaged) return;
  const line = document.createElement('p');
  line.id = 'damage';
  line.setAttribute('role', 'status');
  line.textContent = damageSentence(layer.damaged);
  line.title = layer.damaged.reasons.join('\n');
  byId('about').after(line);
}
