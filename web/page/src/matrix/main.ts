import 'leaflet/dist/leaflet.css';
import 'kiln-leaflet/kiln-leaflet.css';
import '../base.css';
import '../map.css';
import '../context/context.css';
import '../banner.css';
import '../panel.css';
import '../categories/categories.css';
import './matrix.css';

import { fetchJson, KilnError } from 'kiln-leaflet';

import { BASE, type Statistics } from '../catalog.js';
import { askKey, catalogWithCredentials, needsKey, sendCredentials, showKey, takeToken, token } from '../add/access.js';
import { byId } from '../dom.js';
import { sendKeyWithDownloads } from '../downloads.js';
import { Failures } from '../failures.js';
import { markKeyboardUse } from '../keys.js';
import { theme } from '../theme.js';
import { MatrixPage } from './matrix-page.js';

async function start(): Promise<void> {
  takeToken();
  sendCredentials();
  sendKeyWithDownloads();
  markKeyboardUse();
  let page: MatrixPage | undefined;
  theme(() => page?.redraw());
  const failures = new Failures(['page', 'matrix', 'map']);
  const load = async (): Promise<void> => {
    try {
      page = await open(failures);
      failures.clear('page');
    } catch (error) {
      report(error as Error, failures, load);
      return;
    }
    byId('message').hidden = true;
    byId('chart-frame').hidden = false;
    await page.start();
  };
  await load();
}

/** The name of the layer in the URL. */
const nameOfPage = () => decodeURIComponent(location.pathname.split('/').at(-1) ?? '');

/** Loads the layer of the URL and makes its page. */
async function open(failures: Failures): Promise<MatrixPage> {
  const name = nameOfPage();
  const fetchStatistics = () => fetchJson<Statistics>(`${BASE}/${encodeURIComponent(name)}/statistics?zoom=0`);
  // A key may be dropped, and the statistics are then requested without it.
  const catalog = await (token() ? catalogWithCredentials() : null);
  const [statistics, loaded] = await Promise.all([fetchStatistics(), catalog ?? catalogWithCredentials()]);
  showKey(loaded);
  const layer = loaded.layers.find((each) => each.name === name);
  if (!layer) throw new Error(`There is no layer \`${name}\`.`);
  return new MatrixPage(loaded, layer, statistics, failures);
}

/** Reports that the layer has failed to load. Another try of a request that the server rejects fails again. */
function report(error: Error, failures: Failures, retry: () => Promise<void>): void {
  byId('title').textContent ||= nameOfPage();
  byId('message').hidden = false;
  byId('message-text').className = 'error';
  byId('message-text').textContent = error.message;
  byId('chart-frame').hidden = true;
  if (needsKey(error)) {
    byId('message-text').textContent = 'This page needs a valid key.';
    failures.set('page', { title: 'This server needs a key', reason: 'Its layers are visible with a valid key only', retry: () => undefined });
    return askKey(error.message);
  }
  const isFailed = error instanceof KilnError && (error.status === 0 || error.status >= 500);
  if (isFailed) failures.set('page', { title: 'The layer failed to load', reason: error.message, retry });
  else failures.clear('page');
}

start().catch((error: Error) => {
  byId('message').hidden = false;
  byId('message-text').className = 'error';
  byId('message-text').textContent = error.message;
});
