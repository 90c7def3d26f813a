import 'leaflet/dist/leaflet.css';
import 'kiln-leaflet/kiln-leaflet.css';
import './base.css';
import './map.css';
import './panel.css';
import './style.css';

import { fetchCatalog, isPlane, layerOf, matrixPage, openLayer, type Catalog, type LayerEntry } from './catalog.js';
import { byId, showNotice, showStatus } from './dom.js';
import { basemap, fit, makeMap, WORLD } from './globe-map.js';
import { GlobePage } from './globe-page.js';
import { markKeyboardUse } from './keys.js';
import { theme } from './theme.js';

async function startGlobe(catalog: Catalog | null): Promise<void> {
  const map = makeMap();
  let ground: { redraw(): unknown } | undefined;
  theme(() => ground?.redraw());
  if (!catalog) return fit(map, WORLD);
  const page = new GlobePage(map, catalog);
  // The heat map first, since it takes longer.
  const shown = page.start();
  ground = basemap(map, catalog);
  await shown;
}

async function startFloor(catalog: Catalog, layer: LayerEntry): Promise<void> {
  theme(() => undefined);
  // Loaded on demand: the page of the globe does not need it.
  const { FloorPage } = await import('./floor/floor-page.js');
  await new FloorPage(catalog, layer, openLayer).start();
}

async function start(): Promise<void> {
  markKeyboardUse();
  for (const [target, event] of [[byId('controls'), 'input'], [window, 'hashchange']] as const) target.addEventListener(event, () => showNotice());
  const catalog = await fetchCatalog().catch(async (error: Error) => {
    await startGlobe(null);
    throw error;
  });
  const layer = layerOf(location.hash.slice(1), catalog);
  const name = new URLSearchParams(location.hash.slice(1)).get('layer');
  if (layer && name && name !== layer.name) showNotice(`There is no layer \`${name}\`; showing ${layer.title}.`);
  // Without positions there is no map.
  if (layer && !layer.positions) return location.replace(matrixPage(layer.name));
  await (layer && isPlane(layer) ? startFloor(catalog, layer) : startGlobe(catalog));
}

start().catch((error: Error) => {
  byId('map').setAttribute('aria-busy', 'false');
  showStatus(error.message, true);
});
