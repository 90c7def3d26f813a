/** Returns the element with the id. Throws if it is missing. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`Missing element #${id}.`);
  return element as T;
}

/** Creates an element with a class and a text. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, className = '', text = ''): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Creates an option of a select element. */
export function option(value: string, label = value): HTMLOptionElement {
  const element = make('option', '', label);
  element.value = value;
  return element;
}

/** Returns a function that calls `then` after `ms` milliseconds without another call. */
export function debounced(then: () => void, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
}

/** Shows a message in the status line, which screen readers announce. */
export function showStatus(text: string, isError = false): void {
  const status = byId('status');
  status.textContent = text;
  status.classList.toggle('error', isError);
}

/** Adds a notice of what the page has replaced in the state of the URL. Without a text it removes all. */
export function showNotice(text = ''): void {
  const notice = byId('notice');
  notice.textContent = text && [notice.textContent, text].filter(Boolean).join(' ');
}

export const number = (value: number) => value.toLocaleString('en');
export const points = (count: number) => `${number(count)} ${count === 1 ? 'point' : 'points'}`;

/** Escapes text for HTML, the only format of Leaflet's attribution. */
export const escaped = (text: string) => make('span', '', text).innerHTML;
