import 'leaflet/dist/leaflet.css';
import 'kiln-leaflet/kiln-leaflet.css';
import './base.css';
import './map.css';
import './banner.css';
import './panel.css';
import './categories/categories.css';
import './layer-head.css';
import './style.css';
import './context/context.css';
import './time/times.css';
import './area/area.css';
import './view/view.css';
import './sheet/sheet.css';

import { askKey, catalogWithCredentials, needsKey, sendCredentials, showKey, takeToken } from './add/access.js';
import { acceptFiles } from './add/drop.js';
import { fetchCatalog, isPlane, layerOf, matrixPage, openLayer, reportMissingLayer, type Catalog, type LayerEntry } from './catalog.js';
import { byId, make, showNotice, showStatus } from './dom.js';
import { sendKeyWithDownloads } from './downloads.js';
import { Context } from './context/context.js';
import { showEmpty } from './empty.js';
import { Failures } from './failures.js';
import { fit, makeMap, WORLD } from './globe-map.js';
import { GlobePage } from './globe-page.js';
import { reloadPage } from './key.js';
import { markKeyboardUse } from './keys.js';
import { KeptCenter } from './sheet/kept-center.js';
import { theme } from './theme.js';

async function startGlobe(catalog: Catalog | null): Promise<void> {
  const map = makeMap();
  let context: Context | null = null;
  theme(() => context?.redraw());
  if (!catalog?.layers.length) {
    // Without layers the panel has nothing to choose.
    byId('panel').hidden = true;
    // The title of the page is in the panel.
    if (!catalog) byId('stage').prepend(make('h1', 'unseen', 'Kiln'));
    new KeptCenter(map);
    fit(map, WORLD);
    if (catalog) {
      context = new Context(map, catalog, true);
      context.loadNames();
      showEmpty(catalog);
    }
    byId('map').setAttribute('aria-busy', 'false');
    return;
  }
  const page = new GlobePage(map, catalog);
  const shown = page.start();
  ({ context } = page);
  await shown;
}

async function startFloor(catalog: Catalog, layer: LayerEntry): Promise<void> {
  theme(() => undefined);
  // Loaded on demand: the page of the globe does not need it.
  const { FloorPage } = await import('./floor/floor-page.js');
  await new FloorPage(catalog, layer, openLayer).start();
}

/** Reports that the catalog has failed to load, and reloads the page once it can be loaded. */
function reloadLater({ message }: Error): void {
  const failures = new Failures(['catalog'], reloadPage);
  const failed = (reason: string): void => failures.set('catalog', { title: 'The layers failed to load', reason, retry });
  const retry = (): Promise<void> =>
    fetchCatalog().then(
      () => failures.clear('catalog'),
      (error: Error) => failed(error.message),
    );
  failed(message);
  showStatus(message, true);
}

async function start(): Promise<void> {
  // Before anything else reads the fragment.
  takeToken();
  sendCredentials();
  addEventListener('hashchange', takeToken);
  sendKeyWithDownloads();
  markKeyboardUse();
  for (const [target, event] of [[byId('controls'), 'input'], [window, 'hashchange']] as const) target.addEventListener(event, () => showNotice());
  const catalog = await catalogWithCredentials().catch(async (error: Error) => {
    await startGlobe(null);
    if (needsKey(error)) {
      askKey(error.message);
      const reason = 'Its layers are visible with a valid key only';
      new Failures(['catalog']).set('catalog', { title: 'This server needs a key', reason, retry: () => undefined });
    } else {
      reloadLater(error);
    }
    return null;
  });
  if (!catalog) return;
  acceptFiles(catalog);
  showKey(catalog);
  const layer = layerOf(location.hash.slice(1), catalog);
  reportMissingLayer(layer, catalog);
  // Without positions there is no map.
  if (layer && !layer.positions) return location.replace(matrixPage(layer.name));
  await (layer && isPlane(layer) ? startFloor(catalog, layer) : startGlobe(catalog));
}

start().catch((error: Error) => {
  byId('map').setAttribute('aria-busy', 'false');
  showStatus(error.message, true);
});
