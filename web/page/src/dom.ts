/** The element of the page with that id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`There is no #${id}.`);
  return element as T;
}

/** An element with a text. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = '', text = ''): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** A choice of a select. */
export function option(value: string, label = value): HTMLOptionElement {
  const element = make('option', '', label);
  element.value = value;
  return element;
}

/** A function that calls `then` once no more calls have come for a while. */
export function debounced(then: () => void, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
}

/** Tells people what happened; a screen reader says it too. */
export function say(text: string, wrong = false): void {
  const status = byId('status');
  status.textContent = text;
  status.classList.toggle('error', wrong);
}

export const number = (value: number) => value.toLocaleString('en');
export const points = (count: number) => `${number(count)} ${count === 1 ? 'point' : 'points'}`;

/** Text as HTML: Leaflet's attribution knows nothing else. */
export const escaped = (text: string) => make('span', '', text).innerHTML;
