import { byId } from '../../page/src/dom.js';
import type { Cell } from './api.js';

const isFramed = window.parent !== window;

/** Whether the picture has all the room: in a frame, or with `?embed`. */
export const isEmbedded = isFramed || new URLSearchParams(location.search).has('embed');

/** Puts the controls behind a button where the page is embedded. */
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

/** Reports a click to the page around the frame. Any site may embed the page, and nothing in the message is secret to it. */
export function postClick({ x, y, row, column, value }: Cell): void {
  if (isFramed) window.parent.postMessage({ type: 'kiln-mask-click', x, y, row, column, value }, '*');
}
