import type { Catalog } from '../catalog.js';

const KEY = 'kiln.token';

/** Where the token is while session storage is not available. */
let kept = '';

/** The token of the server that the visitor has entered: in session storage, which ends with the tab. */
export function token(): string {
  try {
    return sessionStorage.getItem(KEY) ?? kept;
  } catch {
    return kept;
  }
}

export function keepToken(text: string): void {
  kept = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without session storage it is kept until the page is left.
  }
}

/** Keeps the token of a link, `#token=…`, which the server prints when it starts, and removes it from the address bar. */
export function takeToken(): void {
  const parts = location.hash.slice(1).split('&');
  const [found] = parts.filter((part) => part.startsWith('token='));
  if (found === undefined) return;
  keepToken(new URLSearchParams(found).get('token') ?? '');
  const rest = parts.filter((part) => !part.startsWith('token=')).join('&');
  history.replaceState(history.state, '', `${location.pathname}${location.search}${rest && `#${rest}`}`);
}

/** The headers of a write request. */
export const writeHeaders = (): Record<string, string> => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** Why the server accepts no layers from this page; empty if it does. */
export function closedReason({ writes }: Catalog): string {
  if (!writes) return 'This server does not accept layers from the page.';
  if (writes.access !== 'closed') return '';
  const reason = writes.reason ?? '';
  return `This server does not accept layers from the page: ${reason}${reason.endsWith('.') ? '' : '.'}`;
}
