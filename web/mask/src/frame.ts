import { byId } from '../../page/src/dom.js';
import type { Cell } from './api.js';

const isFramed = window.parent !== window;

/** Whether the picture fills the page: in a frame, or with `?embed`. */
export const isEmbedded = isFramed || new URLSearchParams(location.search).has('embed');

/** In an embedded page, hides the controls behind a button. */
export function foldPanel(): void {
  if (!isEmbedded) return;
  document.body.classList.add('embed');
  const show = (isOpen: boolean) => {
    byId('panel').hidden = !isOpen;
    byId('open').setAttribute('aria-expanded', String(isOpen));
  };
  const close = () => {
    show(false);
    byId('open').focus();
  };
  byId('open').hidden = false;
  byId('close').hidden = false;
  byId('open').addEventListener('click', () => {
    show(byId('panel').hidden !== false);
    if (!byId('panel').hidden) byId('close').focus();
  });
  byId('close').addEventListener('click', close);
  byId('panel').addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') close();
  });
  show(false);
}

/** Posts a click to the parent window. Any site may embed the page, and the message contains nothing secret. */
export function postClick({ x, y, row, column, value }: Cell): void {
  if (isFramed) window.parent.postMessage({ type: 'kiln-mask-click', x, y, row, column, value }, '*');
}
