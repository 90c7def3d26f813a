import { make, number, points } from '../dom.js';
import { sentence } from './texts.js';
import type { UploadReply } from './upload.js';

const MAX_LISTED = 20;

/** What was added, and what was not and why. */
export function reportOf({ accepted, rejected, rejections, beyond_map: beyond, remarks, repeated }: UploadReply): HTMLElement[] {
  const facts = make('ul', 'facts');
  const lines = [
    repeated ? 'An earlier upload had added the points already' : `${points(accepted)} added`,
    ...(rejected ? [`${number(rejected)} ${rejected === 1 ? 'row' : 'rows'} rejected`] : []),
    ...(beyond ? [`${points(beyond)} beyond the edge of the map left out`] : []),
  ];
  facts.append(...lines.map((text) => make('li', '', text)), ...remarks.map((text) => make('li', 'quiet', sentence(text))));
  if (!rejections.length) return [facts];
  const list = make('ol', 'rejections');
  list.tabIndex = 0;
  list.setAttribute('aria-label', 'Rejected rows');
  list.append(...rejections.slice(0, MAX_LISTED).map(({ row, reason }) => make('li', '', `Row ${number(row)}: ${reason}`)));
  const more = rejected - Math.min(rejections.length, MAX_LISTED);
  if (more > 0) list.append(make('li', 'quiet', `and ${number(more)} more`));
  return [facts, list];
}
