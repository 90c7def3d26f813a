import type { Catalog } from './catalog.js';
import { make, option } from './dom.js';

/** The schemes, grouped by family in the catalog's order. */
export function schemeGroups({ schemes }: Catalog): HTMLOptGroupElement[] {
  const groups = new Map<string, HTMLOptGroupElement>();
  for (const { name, family } of schemes) {
    let group = groups.get(family);
    if (!group) {
      group = make('optgroup');
      group.label = family;
      groups.set(family, group);
    }
    group.append(option(name));
  }
  return [...groups.values()];
}
