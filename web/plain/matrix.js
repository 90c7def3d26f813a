// The plain page of a matrix: the chart of the server. The fragment has the state.

import { askKey } from './key.js';
import { fetchJson, saveWithKey, showPicture } from './requests.js';

const byId = (id) => document.getElementById(id);
const layer = location.pathname.split('/').at(-1);
const url = (query) => `../${layer}/matrix?${new URLSearchParams(query)}`;
const names = ['x', 'y', 'agg'];

async function show() {
  const state = Object.fromEntries(names.flatMap((name) => (byId(name).value ? [[name, byId(name).value]] : [])));
  history.replaceState(null, '', `#${new URLSearchParams(state)}`);
  const zone = { ...state, tz: Intl.DateTimeFormat().resolvedOptions().timeZone };
  byId('picture').hidden = true;
  byId('csv').href = url({ ...zone, format: 'csv' });
  byId('json').href = url({ ...zone, format: 'json' });
  try {
    const reply = await fetchJson(url({ ...zone, format: 'json' }));
    for (const name of ['x', 'y']) {
      byId(name).replaceChildren(...reply.axes.map((axis) => new Option(axis)));
      byId(name).value = reply[name].axis;
    }
    byId('status').textContent = `${reply.total.toLocaleString('en')} points: ${reply.unit}`;
    await showPicture(byId('picture'), url({ ...zone, format: 'svg' }));
    byId('picture').alt = `Matrix of ${reply.unit} by ${reply.x.title} and ${reply.y.title}`;
    byId('picture').hidden = false;
  } catch (error) {
    report(error);
  }
}

/** Shows an error, and asks for a key if there is none or it is not accepted. */
function report(error) {
  if (error.status === 401 && !byId('key-form')) askKey(byId('controls'), error.message);
  byId('status').textContent = error.status === 401 ? '' : error.message;
}

byId('title').textContent = decodeURIComponent(layer);
for (const format of ['csv', 'json']) byId(format).addEventListener('click', (event) => saveWithKey(event, `${decodeURIComponent(layer)}.${format}`, report));
const state = new URLSearchParams(location.hash.slice(1));
for (const name of names) {
  const value = state.get(name);
  if (value && name !== 'agg') byId(name).append(new Option(value));
  if (value) byId(name).value = value;
  byId(name).addEventListener('change', () => void show());
}
void show();
