import 'leaflet/dist/leaflet.css';
import 'kiln-leaflet/kiln-leaflet.css';
import './base.css';
import './style.css';

import { fetchCatalog } from './catalog.js';
import { showStatus } from './dom.js';
import { basemap, fit, GlobePage, makeMap, WORLD } from './globe-page.js';
import { theme } from './theme.js';

/** Marks the page while it is used by keyboard: only then the map shows a focus ring. */
function markKeyboardUse(): void {
  addEventListener('keydown', () => (document.documentElement.dataset['keys'] = ''), true);
  addEventListener('pointerdown', () => delete document.documentElement.dataset['keys'], true);
}

async function start(): Promise<void> {
  markKeyboardUse();
  const map = makeMap();
  let ground: { redraw(): unknown } | undefined;
  theme(() => ground?.redraw());
  const catalog = await fetchCatalog().catch((error: Error) => {
    fit(map, WORLD);
    throw error;
  });
  const page = new GlobePage(map, catalog);
  // The heat map first, since it takes longer.
  const shown = page.start();
  ground = basemap(map, catalog);
  await shown;
}

start().catch((error: Error) => showStatus(error.message, true));
