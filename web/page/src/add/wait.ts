import type { Wait } from 'kiln-leaflet';

import { byId, make } from '../dom.js';
import { sentence } from './texts.js';

let line: HTMLElement | null = null;

/** Shows that requests wait because they exceed a rate, above the map, until none waits any more. */
export function showWait(wait?: Wait): void {
  line ??= make('p', 'card');
  if (!line.isConnected) {
    line.id = 'wait';
    line.setAttribute('role', 'status');
    line.hidden = true;
    byId('banner').after(line);
  }
  // The number of seconds would be announced again and again.
  const text = wait ? `The page waits. ${sentence(wait.reason)} The rest of the map follows.` : '';
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !wait;
}
