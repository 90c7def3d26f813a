/** The length of the selected categories in a URL beyond which proxies reject requests. */
const MAX_URL_LENGTH = 6000;

/** A new selection, or the reason why there is none. */
export type Change = { selected: string[] } | { reason: string };

/** Whether a category is shown. An empty selection is that of all categories. */
export const isOn = (selected: string[], name: string) => !selected.length || selected.includes(name);

/** Returns a selection, of all categories if it has each of `all`. */
export function selectionOf(names: string[], all: string[] | null): Change {
  if (!names.length) return { reason: 'At least one category must be ticked.' };
  if (all && all.every((name) => names.includes(name))) return { selected: [] };
  if (encodeURIComponent(JSON.stringify(names)).length > MAX_URL_LENGTH) {
    return { reason: `${names.length} names are too long for a link. Start from “only”, and tick more.` };
  }
  return { selected: names };
}

/** Ticks or unticks a category. `all` is null if the layer has more categories than the page knows. */
export function toggled(selected: string[], name: string, on: boolean, all: string[] | null): Change {
  if (on) return selected.length ? selectionOf([...selected.filter((each) => each !== name), name], all) : { selected };
  if (selected.length) return selectionOf(selected.filter((each) => each !== name), all);
  if (!all) return { reason: 'The layer has too many categories to hide one of them. Start from “only”, and tick more.' };
  return selectionOf(all.filter((each) => each !== name), all);
}
