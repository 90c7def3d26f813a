import 'leaflet/dist/leaflet.css';
import 'kiln-leaflet/kiln-leaflet.css';
import '../base.css';
import '../map.css';
import '../context/context.css';
import '../panel.css';
import './matrix.css';

import { fetchJson } from 'kiln-leaflet';

import { BASE, fetchCatalog, type Statistics } from '../catalog.js';
import { byId } from '../dom.js';
import { markKeyboardUse } from '../keys.js';
import { theme } from '../theme.js';
import { MatrixPage } from './matrix-page.js';

async function start(): Promise<void> {
  markKeyboardUse();
  let page: MatrixPage | undefined;
  theme(() => page?.redraw());
  const name = decodeURIComponent(location.pathname.split('/').at(-1) ?? '');
  const [catalog, statistics] = await Promise.all([fetchCatalog(), fetchJson<Statistics>(`${BASE}/${encodeURIComponent(name)}/statistics?zoom=0`)]);
  const layer = catalog.layers.find((each) => each.name === name);
  if (!layer) throw new Error(`There is no layer \`${name}\`.`);
  page = new MatrixPage(catalog, layer, statistics);
  await page.start();
}

start().catch((error: Error) => {
  byId('message').hidden = false;
  byId('message-text').className = 'error';
  byId('message-text').textContent = error.message;
  byId('retry').hidden = false;
  byId('retry').addEventListener('click', () => location.reload());
  byId('chart-frame').hidden = true;
});
