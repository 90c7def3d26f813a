import './add.css';

import { BASE } from '../catalog.js';
import { make } from '../dom.js';
import { keepsKeys, keepToken, reloadPage, token } from '../key.js';
import { fieldOf } from './field.js';
import { sentence } from './texts.js';

const NOTE = 'A key, or the token of the server. It stays in this tab until it is closed, and is never in an address or a link.';
const NOTE_WITHOUT_STORAGE = 'A key, or the token of the server. This browser blocks session storage: the key is forgotten when the page is left or loaded again.';

/** The title and the text of the dialog. */
function texts(reason: string): [title: string, text: string] {
  // That detail is for programs: it names headers and parameters.
  if (reason.startsWith('the server needs a key')) return ['This server needs a key', 'Its layers are visible with a key only.'];
  if (reason) return ['Another key is needed', `The server does not accept the key of this tab any more. ${sentence(reason)} The view stays as it is.`];
  if (token()) return ['Change the key', 'Another key may show other layers and points. The view stays as it is.'];
  return ['Enter a key', 'A key may show more layers and points. The view stays as it is.'];
}

/** Why the server does not accept a key; empty if it does. */
async function problemOf(key: string): Promise<string> {
  if (!/^[\x21-\x7e]+$/.test(key)) return 'A key has no spaces and no other characters than letters, digits and punctuation of ASCII.';
  const response = await fetch(`${BASE}/catalog?_=1`, { headers: { Authorization: `Bearer ${key}` }, cache: 'no-store' }).catch(() => null);
  if (!response) return 'The server cannot be reached. Try again in a moment.';
  if (response.ok) return '';
  const { detail, title } = (await response.json().catch(() => ({}))) as { detail?: string; title?: string };
  const wait = response.status === 429 ? ` Try again in ${response.headers.get('retry-after') ?? 'some'} s.` : '';
  return sentence(detail ?? title ?? `The server returned status ${response.status}`) + wait;
}

/** Asks for a key, and loads the page again once the server accepts one. `reason`: why a request was rejected; empty without one. */
export function openKeyDialog(reason: string): void {
  if (document.querySelector('dialog[open]')) return;
  const dialog = make('dialog', 'card add key-dialog');
  const head = make('header');
  const [titleText, text] = texts(reason);
  const title = make('h2', '', titleText);
  title.id = 'key-title';
  const close = make('button', 'plain', '×');
  close.type = 'button';
  close.setAttribute('aria-label', 'Close');
  close.addEventListener('click', () => dialog.close());
  head.append(title, close);
  const body = make('div', 'add-body');
  const form = make('form');
  const { element, input } = fieldOf('Key', keepsKeys() ? NOTE : NOTE_WITHOUT_STORAGE);
  input.type = 'password';
  input.autocomplete = 'off';
  input.required = true;
  const about = make('p', '', text);
  about.id = 'key-about';
  const go = make('button', 'primary', 'Continue');
  const buttons = make('p', 'row');
  buttons.append(go);
  if (token() && !reason) {
    const forget = make('button', '', 'Forget the key');
    forget.type = 'button';
    forget.addEventListener('click', () => use(''));
    buttons.append(forget);
  }
  const status = make('p', 'add-status');
  status.setAttribute('role', 'status');
  const say = (message: string, isError: boolean): void => {
    status.textContent = message;
    status.classList.toggle('error', isError);
    input.setAttribute('aria-invalid', String(isError));
  };
  form.append(about, element, status, buttons);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (go.disabled) return;
    const key = input.value.trim().replace(/^Bearer\s+/i, '');
    go.disabled = true;
    say('Checking the key …', false);
    void problemOf(key).then((problem) => {
      go.disabled = false;
      if (!problem) return use(key);
      say(problem, true);
      input.select();
      input.focus();
    });
  });
  input.addEventListener('input', () => say('', false));
  dialog.setAttribute('aria-labelledby', title.id);
  dialog.setAttribute('aria-describedby', about.id);
  dialog.addEventListener('close', () => dialog.remove());
  body.append(form);
  dialog.append(head, body);
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
}

/** Loads the page again with a key, or without one. */
function use(key: string): void {
  keepToken(key);
  reloadPage();
}
