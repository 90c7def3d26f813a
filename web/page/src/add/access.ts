import { KilnError, sendHeaders } from 'kiln-leaflet';

import { BASE, fetchCatalog, type Catalog } from '../catalog.js';
import { make, showNotice } from '../dom.js';
import { Failures } from '../failures.js';
import { keepToken, takeHandedKey, token } from '../key.js';
import { sentence } from './texts.js';
import { showWait } from './wait.js';

export { keepToken, token };

/** Keeps the token of a link, `#token=…`, which the server prints when it starts, and removes it from the address bar. So does it with the key of a page that has loaded this one again. */
export function takeToken(): void {
  takeHandedKey();
  const parts = location.hash.slice(1).split('&');
  const [found] = parts.filter((part) => part.startsWith('token='));
  if (found === undefined) return;
  keepToken(new URLSearchParams(found).get('token') ?? '');
  const rest = parts.filter((part) => !part.startsWith('token=')).join('&');
  history.replaceState(history.state, '', `${location.pathname}${location.search}${rest && `#${rest}`}`);
}

/** The headers of requests: the server knows its owner, and clients with a key, by them. */
export const credentials = (): Record<string, string> => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** Why the server accepts no layers from this page; empty if it does. */
export function closedReason({ writes }: Catalog): string {
  if (!writes) return 'This server does not accept layers from the page.';
  if (writes.access !== 'closed') return '';
  const reason = writes.reason ?? '';
  return `This server does not accept layers from the page: ${reason}${reason.endsWith('.') ? '' : '.'}`;
}

/** Sends the token with all requests to the server, and asks for a key if the server refuses one without. */
export function sendCredentials(): void {
  sendHeaders(
    (url) => (new URL(url, location.href).href.startsWith(`${BASE}/`) ? credentials() : {}),
    (url, error) => {
      // The start of the page and the dialog of files have their own responses to it.
      if (!/[/](catalog|_[/]inspect)([?]|$)/.test(url)) askKey(error.message);
    },
    showWait,
  );
}

let isAsked = false;

/** Asks for a key, once, and stops the retries of what has failed: the button of the banner opens the dialog again. */
export function askKey(reason: string): void {
  Failures.stop('Enter a key', () => openKey(reason));
  if (isAsked || document.querySelector('dialog[open]')) return;
  isAsked = true;
  openKey(reason);
}

/** Opens the dialog of the key. `reason`: why the server has rejected a request; empty if the visitor has opened it. */
function openKey(reason = ''): void {
  void import('./key-dialog.js').then(({ openKeyDialog }) => openKeyDialog(reason));
}

/** Whether a request of the start has failed for want of a valid key, or of one that may read here: the rights and origins of a key (403). */
export const needsKey = (error: unknown) => error instanceof KilnError && (error.status === 401 || error.status === 403);

/** The catalog. A token that the server does not know, such as that of a link before its restart, is dropped. */
export const catalogWithCredentials = (): Promise<Catalog> =>
  fetchCatalog().catch((error: unknown) => {
    if (!needsKey(error) || !token()) throw error;
    keepToken('');
    return fetchCatalog().then(
      (catalog) => {
        showNotice(`The key of this tab is not accepted any more. ${sentence((error as Error).message)} The page shows what is visible without a key.`);
        return catalog;
      },
      () => {
        throw error;
      },
    );
  });

/** Shows whose key the page sends, in the foot of the panel, and lets the visitor change it. */
export function showKey({ access, layers }: Catalog): void {
  if (!access) return;
  const isNone = access.key === 'anonymous';
  const button = make('button', 'link', isNone ? 'Enter a key' : access.key === null ? 'Key: the token of the server' : `Key: ${access.key}`);
  button.id = 'key';
  button.type = 'button';
  button.setAttribute('aria-haspopup', 'dialog');
  button.addEventListener('click', () => openKey());
  // Without layers there is no panel.
  document.querySelector(layers.length ? '#panel .foot' : '#empty > .quiet:last-child')?.append(' · ', button);
}
