import './drop.css';

import type { Catalog } from '../catalog.js';
import { byId, make } from '../dom.js';
import { closedReason } from './access.js';

const ADDED = 'kiln.added';
const SHOWN_MS = 6000;

/** Accepts files that are dropped on the page, and those of the button. The rest is loaded on demand. */
export function acceptFiles(catalog: Catalog): void {
  const open = async (items: DataTransfer | null, picks = false): Promise<void> => {
    // The list of files is gone after the first wait.
    const chosen = items && { files: [...items.files], hasFolder: [...items.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory) };
    const { AddLayer } = await import('./add-layer.js');
    AddLayer.open(catalog, chosen, picks);
  };
  const button = byId<HTMLButtonElement>('add-layer');
  button.hidden = closedReason(catalog) !== '';
  button.addEventListener('click', () => void open(null));
  byId('empty-choose').addEventListener('click', () => void open(null, true));

  const hint = make('div', 'drop-hint');
  hint.append(make('p', 'card', closedReason(catalog) || 'Drop the file to add a layer'));
  hint.hidden = true;
  document.body.append(hint);
  let depth = 0;
  const show = (change: number) => (hint.hidden = (depth = Math.max(0, depth + change)) === 0);
  const isFile = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes('Files') ?? false;
  addEventListener('dragenter', (event) => isFile(event) && show(1));
  addEventListener('dragleave', (event) => isFile(event) && show(-1));
  // Without these two the browser would leave the page for the file.
  addEventListener('dragover', (event) => isFile(event) && event.preventDefault());
  addEventListener('drop', (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    show(-Infinity);
    void open(event.dataTransfer);
  });
  showAdded();
}

/** Keeps a message for the page that loads next. */
export function announceAdded(text: string): void {
  try {
    sessionStorage.setItem(ADDED, text);
  } catch {
    // The layer itself is the message.
  }
}

function showAdded(): void {
  let text: string | null = null;
  try {
    text = sessionStorage.getItem(ADDED);
    sessionStorage.removeItem(ADDED);
  } catch {
    return;
  }
  if (!text) return;
  const message = make('p', 'card added', text);
  message.setAttribute('role', 'status');
  document.body.append(message);
  setTimeout(() => message.remove(), SHOWN_MS);
}
