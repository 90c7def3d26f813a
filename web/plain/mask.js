// The plain page of a mask: its picture, the values in it, and its style.

const id = /\/masks\/([^/]+)\/page/.exec(location.pathname)?.[1] ?? '';
const base = new URL(`../${id}`, location.href).pathname;
const byId = (name) => document.getElementById(name);
const STYLE = ['colormap', 'vmin', 'vmax', 'blur_ksize'];
const DEFAULTS = { colormap: 'jet', opacity: '70', blur_ksize: '5' };

let mask = null;
let timer = 0;
let version = 0; // of the picture that was requested last

async function request(path, options) {
  const response = await fetch(base + path, options).catch(() => {
    throw new Error('The server cannot be reached.');
  });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Error(response.status === 404 ? 'The mask does not exist, or it has expired.' : (problem.detail ?? response.statusText));
}

/** The parameters that differ from the stored style. */
function style() {
  const changed = STYLE.filter((name) => byId(name).value !== '' && byId(name).value !== byId(name).dataset.stored);
  return new URLSearchParams(changed.map((name) => [name, byId(name).value]));
}

/** Loads a picture into an image once it is decoded. */
async function show(image, path) {
  const url = URL.createObjectURL(await (await request(path)).blob());
  const next = new Image();
  next.src = url;
  await next.decode();
  const before = image.src;
  return () => {
    image.src = url;
    image.hidden = false;
    if (before) URL.revokeObjectURL(before);
  };
}

async function draw() {
  const current = ++version;
  const query = style();
  const [overlay, legend] = await Promise.all([
    show(byId('overlay'), `.png?background=false&opacity=100&${query}`),
    show(byId('legend'), `/legend.png?${query}`),
  ]);
  if (current !== version) return;
  overlay();
  legend();
}

const fade = () => {
  byId('overlay').style.opacity = byId('opacity').value / 100;
};

function fill(name, value) {
  const control = byId(name);
  if (control.tagName === 'SELECT' && ![...control.options].some((option) => option.value === value)) control.add(new Option(value, value));
  control.value = value;
  control.dataset.stored = control.value;
}

async function load() {
  mask = await (await request('')).json();
  // A server with keys lists none for this page, which has no key: the mask then keeps its own.
  const { colormaps = [], schemes = [] } = await (await fetch(new URL('../../catalog', location.href))).json();
  const names = [...colormaps, ...schemes.map(({ name }) => name)];
  byId('colormap').replaceChildren(...[...new Set(names)].map((name) => new Option(name, name)));
  for (const name of ['colormap', 'opacity', 'blur_ksize']) fill(name, mask.style[name] ?? DEFAULTS[name]);
  for (const name of ['vmin', 'vmax']) fill(name, mask[name] ?? '');
  byId('about').textContent = [`${mask.rows} × ${mask.columns} cells`, ...mask.remarks].join('; ');
  byId('row').max = mask.rows - 1;
  byId('column').max = mask.columns - 1;
  byId('background').hidden = !mask.urls.background;
  fade();
  byId('picture').hidden = false;
  if (mask.urls.background) (await show(byId('background'), '.png?opacity=0'))();
  await draw();
}

/** Reports a click and shows the value. */
async function click(place) {
  const { row, column, value } = await (
    await request('/click', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(place) })
  ).json();
  byId('value').textContent = `Row ${row}, column ${column}: ${value ?? 'no data'}`;
}

/** Runs a task. Its error is shown, with a button that loads the page's contents again. */
async function attempt(task) {
  try {
    await task();
    byId('error').hidden = true;
  } catch (error) {
    byId('error').firstElementChild.textContent = error.message;
    byId('error').hidden = false;
  }
}

byId('opacity').addEventListener('input', fade);
for (const name of STYLE) {
  byId(name).addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => attempt(draw), 150);
  });
}
byId('picture').addEventListener('click', (event) => {
  const box = byId('picture').getBoundingClientRect();
  const at = (part, side, px) => Math.min(Math.max(part / side, 0) * px, px - 1e-3);
  const place = { x: at(event.clientX - box.left, box.width, mask.width), y: at(event.clientY - box.top, box.height, mask.height) };
  attempt(() => click(place));
});
byId('look-up').addEventListener('click', () => attempt(() => click({ row: Number(byId('row').value), column: Number(byId('column').value) })));
byId('controls').addEventListener('submit', (event) => event.preventDefault());
byId('retry').addEventListener('click', () => attempt(load));
attempt(load);
