import './damage.css';
import { make, number, points } from './dom.js';
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

/** Shows that a layer is damaged, below an element. */
export function showDamage(layer: LayerEntry | undefined, after: Element): void {
  const old = document.getElementById('damage');
  const text = layer?.damaged && JSON.stringify(layer.damaged);
  // A screen reader would announce an equal text again, and the reasons would close.
  if (old && old.dataset['of'] === text) return;
  old?.remove();
  if (!layer?.damaged) return;
  const box = make('div');
  box.id = 'damage';
  box.dataset['of'] = text;
  const line = make('p', '', damageSentence(layer.damaged));
  line.setAttribute('role', 'status');
  // Not in a tooltip, which neither the keyboard nor a touch opens.
  const reasons = make('details');
  const list = make('ul');
  list.append(...layer.damaged.reasons.map((reason) => make('li', '', reason)));
  reasons.append(make('summary', '', 'Reasons'), list, make('p', '', 'On the server, this command lists all damaged files:'), make('code', '', `kiln layer ${layer.name} --verify`));
  box.append(line, reasons);
  after.after(box);
}
