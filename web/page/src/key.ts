// The key of the visitor: in the session storage of the tab, which ends with it.

const KEY = 'kiln.token';

/** Where the key is without session storage: until the page is left or loaded again. */
let kept = '';

/** The token of the server, or the key, that the visitor has entered or that was in the link. */
export function token(): string {
  try {
    return sessionStorage.getItem(KEY) ?? kept;
  } catch {
    return kept;
  }
}

/** Keeps a key, or none. */
export function keepToken(text: string): void {
  kept = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Until the page is left.
  }
}

/** Whether the browser keeps a key in this tab: it may block session storage. */
export function keepsKeys(): boolean {
  const probe = `${KEY}.probe`;
  try {
    sessionStorage.setItem(probe, '');
    sessionStorage.removeItem(probe);
    return true;
  } catch {
    return false;
  }
}

/** Loads the page again. Without session storage, the entry of the history hands the key to the next page, which removes it there. */
export function reloadPage(): void {
  if (kept && !keepsKeys()) history.replaceState({ ...history.state, [KEY]: kept }, '');
  location.reload();
}

/** Takes the key of a page that has loaded this one again. */
export function takeHandedKey(): void {
  const { [KEY]: handed, ...others } = (history.state ?? {}) as Record<string, unknown>;
  if (typeof handed !== 'string') return;
  history.replaceState(Object.keys(others).length ? others : null, '');
  keepToken(handed);
}
