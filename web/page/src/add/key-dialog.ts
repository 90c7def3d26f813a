import './add.css';

import { make } from '../dom.js';
import { keepToken } from './access.js';
import { fieldOf } from './field.js';
import { sentence } from './texts.js';

/** Asks for a key, and loads the page again with it. */
export function openKeyDialog(reason: string): void {
  const dialog = make('dialog', 'card add');
  const head = make('header');
  const title = make('h2', '', 'This server needs a key');
  title.id = 'key-title';
  const close = make('button', 'plain', '×');
  close.type = 'button';
  close.setAttribute('aria-label', 'Close');
  close.addEventListener('click', () => dialog.close());
  head.append(title, close);
  const body = make('div', 'add-body');
  const form = make('form');
  const { element, input } = fieldOf('Key', 'A key, or the token of the server. It is sent with each request, and stays in this tab until it is closed.');
  input.type = 'password';
  input.autocomplete = 'off';
  input.required = true;
  // The detail for programs names headers and parameters.
  const text = reason.startsWith('the server needs a key') ? 'Its layers are visible with a key only.' : sentence(reason);
  form.append(make('p', '', text), element, make('button', 'primary', 'Continue'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    keepToken(input.value.trim());
    location.reload();
  });
  dialog.setAttribute('aria-labelledby', title.id);
  body.append(form);
  dialog.append(head, body, make('p', 'add-status'));
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
}
