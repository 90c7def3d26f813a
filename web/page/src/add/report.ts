import { make, number, points } from '../dom.js';
import { sentence } from './texts.js';
import type { UploadReply } from './upload.js';

const MAX_LISTED = 20;

/** What was not added, and why. */
export function reportOf({ rejected, rejections, beyond_map: beyond, remarks }: UploadReply): HTMLElement[] {
  const lines = [...(beyond ? [`${points(beyond)} beyond the edge of the map left out.`] : []), ...remarks.map(sentence)];
  const facts = make('ul', 'facts');
  facts.append(...lines.map((text) => make('li', 'quiet', text)));
  if (!rejections.length) return [facts];
  const list = make('ol', 'rejections');
  list.tabIndex = 0;
  list.setAttribute('aria-label', 'Rejected rows');
  list.append(...rejections.slice(0, MAX_LISTED).map(({ row, reason }) => make('li', '', `Row ${number(row)}: ${reason}`)));
  const more = rejected - Math.min(rejections.length, MAX_LISTED);
  if (more > 0) list.append(make('li', 'quiet', `and ${number(more)} more`));
  return lines.length ? [list, facts] : [list];
}
