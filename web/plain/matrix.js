// The plain page of a matrix: the chart of the server. The fragment has the state.
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
    const response = await fetch(url({ ...zone, format: 'json' }));
    const reply = await response.json();
    if (!response.ok) throw new Error(reply.detail ?? reply.title);
    for (const name of ['x', 'y']) {
      byId(name).replaceChildren(...reply.axes.map((axis) => new Option(axis)));
      byId(name).value = reply[name].axis;
    }
    byId('status').textContent = `${reply.total.toLocaleString('en')} points: ${reply.unit}`;
    byId('picture').src = url({ ...zone, format: 'svg' });
    byId('picture').alt = `Matrix of ${reply.unit} by ${reply.x.title} and ${reply.y.title}`;
    byId('picture').hidden = false;
  } catch (error) {
    byId('status').textContent = error instanceof TypeError ? 'The server cannot be reached.' : error.message;
  }
}

byId('title').textContent = decodeURIComponent(layer);
const state = new URLSearchParams(location.hash.slice(1));
for (const name of names) {
  const value = state.get(name);
  if (value && name !== 'agg') byId(name).append(new Option(value));
  if (value) byId(name).value = value;
  byId(name).addEventListener('change', () => void show());
}
void show();
