// The 3-D page of a plane layer: /{layer}/surface. Its fragment is that of the map page.

import { askKey, headers } from './key.js';
import { bars, surface } from './surface-mesh.js';
import { Scene } from './surface-scene.js';

const SIDES_M = [0.25, 0.5, 1, 2, 4, 8];
const MAX_CELLS = 60_000;
/** The share of cells that the colors and heights cover. Higher values are as high as the last color. */
const NORMALIZE = 0.99;
const MAX_HEIGHT = 0.35; // of the longer side of the floor

const CURVES = { linear: 'linear', sqrt: 'square root', log: 'logarithm' };

const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString('en', { maximumFractionDigits: 2 });
const layer = decodeURIComponent(location.pathname.split('/').at(-2));
const hash = new URLSearchParams(location.hash.slice(1));
/** The filters by parts of the local time. */
const PARTS = ['hours', 'weekdays', 'months'];
const curve = CURVES[hash.get('curve')] ? hash.get('curve') : 'sqrt';

let scene;
let grid = null; // { cells: [{ column, row, value }], total, side, max }
let colors = [];
let pending = null;
let plan = null;

function showStatus(text, isError = false) {
  // The form of the key replaces the controls.
  if (!byId('status')) return;
  byId('status').textContent = text;
  byId('status').classList.toggle('error', isError);
}

/** Sends a request with the key of the visitor, and returns the response. A problem (RFC 9457) is thrown as an error with its detail. */
async function request(url, options) {
  const response = await fetch(url, { ...options, headers: headers() }).catch((error) => {
    throw error.name === 'AbortError' ? error : new Error('The server cannot be reached.');
  });
  if (response.ok) return response;
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
  const problem = isProblem ? await response.json() : {};
  if (response.status === 401) byId('key-form') ?? askKey(byId('controls'), problem.detail ?? '');
  throw new Error(problem.detail ?? problem.title ?? `The server returned status ${response.status}.`);
}

const fetchJson = async (url, options) => (await request(url, options)).json();

/** The parameters of the grid: cell size, space and time. */
function gridParameters() {
  const parameters = new URLSearchParams({ resolution: byId('cell').value, format: 'json', omit_empty: 'true' });
  if (hash.get('space')) parameters.set('category', JSON.stringify([hash.get('space')]));
  for (const part of PARTS) if (hash.get(part)) parameters.set(part, hash.get(part));
  if (PARTS.some((part) => hash.get(part))) parameters.set('tz', hash.get('zone') ?? 'UTC');
  const [start, end] = (hash.get('time') ?? '').split('..');
  if (start && end) {
    parameters.set('start', start);
    parameters.set('end', end);
  }
  return parameters;
}

/** The selected time as text, or nothing if it is all. Midnights of the time zone are dates, and the last one is before the end. */
function period() {
  const [start, end] = (hash.get('time') ?? '').split('..').map((text) => new Date(text));
  if (!(start < end)) return '';
  const zone = hash.get('zone') ?? 'UTC';
  const format = (time, options) => {
    try {
      return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone }).format(time);
    } catch {
      return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(time); // an unknown time zone
    }
  };
  const isMidnight = (time) => format(time, { hour: '2-digit', minute: '2-digit', second: '2-digit' }) === '00:00:00';
  const date = { day: 'numeric', month: 'short', year: 'numeric' };
  if (isMidnight(start) && isMidnight(end)) {
    const days = [start, new Date(end - 1)].map((time) => format(time, date));
    return days[0] === days[1] ? days[0] : days.join(' – ');
  }
  return [start, end].map((time) => format(time, { ...date, hour: '2-digit', minute: '2-digit' })).join(' – ');
}

async function loadGrid() {
  pending?.abort();
  pending = new AbortController();
  const { signal } = pending;
  document.body.removeAttribute('data-ready');
  showStatus('Loading…');
  try {
    const side = Number(byId('cell').value);
    const reply = await fetchJson(`../${layer}/grid?${gridParameters()}`, { signal });
    const cells = reply.array_cells.filter(([, , value]) => value > 0).map(([x, y, value]) => ({ column: Math.round(x / side - 0.5), row: Math.round(y / side - 0.5), value }));
    if (cells.length > MAX_CELLS) throw new Error(`${number(cells.length)} cells exceed the limit of this page, ${number(MAX_CELLS)}. Choose a larger cell size.`);
    const values = cells.map(({ value }) => value).sort((a, b) => a - b);
    grid = { cells, side, total: reply.metadata.total_detections, max: values[Math.ceil(NORMALIZE * values.length) - 1] ?? 1 };
    describe();
    build();
  } catch (error) {
    if (error.name === 'AbortError') return;
    grid = null;
    byId('scale').textContent = '';
    build();
    showStatus(error.message, true);
  }
}

/** The position on colors and heights of a share of the maximum, by the curve of the map page. */
function levelOf(share) {
  if (curve === 'log') return Math.log1p(999 * share) / Math.log(1000);
  return curve === 'sqrt' ? Math.sqrt(share) : share;
}

function colorOf(level) {
  const at = level * (colors.length - 1);
  const [low, high] = [colors[Math.floor(at)], colors[Math.min(Math.floor(at) + 1, colors.length - 1)]];
  return low.map((part, i) => part + (high[i] - part) * (at - Math.floor(at)));
}

/** Builds the mesh of the grid. */
function build() {
  const [west, south, east, north] = scene.bounds;
  scene.height = (MAX_HEIGHT * Math.max(east - west, north - south) * byId('height').valueAsNumber) / 100;
  const cells = (grid?.cells ?? []).map(({ column, row, value }) => ({ column, row, level: levelOf(Math.min(value / grid.max, 1)) }));
  const make = byId('shape').value === 'bars' ? bars : surface;
  scene.setMesh(make(cells, grid?.side ?? 1, colorOf, scene.height));
  scene.draw();
  document.body.dataset.ready = '';
}

function describe() {
  const { cells, side, total, max } = grid;
  if (!cells.length) {
    byId('scale').textContent = '';
    byId('view').setAttribute('aria-label', '3-D surface without detections');
    return showStatus('No detections in this period.');
  }
  const peak = cells.reduce((best, cell) => (cell.value > best.value ? cell : best));
  const at = [peak.column, peak.row].map((index) => number((index + 0.5) * side)).join(', ');
  byId('scale').textContent = `0 to ${number(max)} detections per cell of ${side} m; scale: ${CURVES[curve]}`;
  byId('view').setAttribute('aria-label', `3-D surface of ${number(total)} detections. Maximum: ${number(peak.value)} at ${at} m`);
  showStatus(`${number(total)} detections in ${number(cells.length)} cells`);
}

async function loadColors() {
  const scheme = hash.get('scheme') ?? 'heat';
  const legend = await fetchJson(`../${layer}/legend.json?${new URLSearchParams({ scheme, zoom: 0 })}`);
  byId('ramp').style.background = `linear-gradient(to right, ${legend.colors.join(', ')})`;
  colors = legend.colors.map((color) => {
    const part = (at) => parseInt(color.slice(at, at + 2) || 'ff', 16) / 255;
    // Transparent colors on a light ground: bars are opaque.
    return [1, 3, 5].map((at) => part(at) * part(7) + 0.93 * (1 - part(7)));
  });
}

/** Loads the bounds of the layer and its floor plan, if it has one. */
async function loadFloor() {
  const catalog = await fetchJson('../catalog');
  const entry = catalog.layers.find(({ name }) => name === layer);
  if (!entry) throw new Error(`There is no layer ${layer}.`);
  if (entry.projections.includes('mercator')) throw new Error('This page shows layers in meters; this one is in degrees.');
  const name = [entry.title, hash.get('space'), ...PARTS.map((part) => hash.get(part))].filter(Boolean).join(' · ');
  byId('title').textContent = name;
  byId('period').textContent = period();
  document.title = `${[name, period()].filter(Boolean).join(', ')} in 3-D - Kiln`;
  const [[south, west], [north, east]] = entry.bounds;
  scene.bounds = [west, south, east, north];
  if (!entry.floorplan) return;
  const [[low, left], [high, right]] = entry.floorplan.bounds;
  scene.bounds = [left, low, right, high];
  plan = new Image();
  // The URL that the server reports may be that of another host. An image element sends no key.
  const image = await request(`../${layer}/floorplan${new URL(entry.floorplan.url, location.href).search}`);
  plan.src = URL.createObjectURL(await image.blob());
  await plan.decode().catch(() => {
    plan = null;
    throw new Error('The floor plan failed to load.');
  });
  URL.revokeObjectURL(plan.src);
  scene.setPlan(plan);
}

function listen() {
  const view = byId('view');
  const pointers = new Map();
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  view.addEventListener('pointerdown', (event) => {
    view.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  view.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (pointers.size === 1) scene.orbit((before.x - now.x) / 150, (now.y - before.y) / 200);
    else {
      const old = spread();
      pointers.set(event.pointerId, now);
      scene.orbit(0, 0, old / Math.max(spread(), 1));
    }
    pointers.set(event.pointerId, now);
  });
  for (const name of ['pointerup', 'pointercancel']) view.addEventListener(name, ({ pointerId }) => pointers.delete(pointerId));
  view.addEventListener('wheel', (event) => {
    event.preventDefault();
    scene.orbit(0, 0, Math.exp(event.deltaY / 800));
  }, { passive: false });
  const keys = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.07], ArrowDown: [0, -0.07], '+': [0, 0, 0.9], '=': [0, 0, 0.9], '-': [0, 0, 1.1] };
  view.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    scene.orbit(...keys[event.key]);
  });
  byId('reset').addEventListener('click', () => scene.reset());
  byId('cell').addEventListener('input', () => {
    hash.set('cell', byId('cell').value);
    remember();
    void loadGrid();
  });
  for (const id of ['shape', 'height']) byId(id).addEventListener('input', build);
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const applyTheme = () => {
    scene.isDark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : dark.matches;
    scene.draw();
  };
  dark.addEventListener('change', applyTheme);
  applyTheme();
  addEventListener('hashchange', () => location.reload());
  scene.restored = () => {
    scene.setPlan(plan);
    build();
  };
}

function remember() {
  const text = hash.toString().replaceAll('%2F', '/').replaceAll('%3A', ':');
  history.replaceState(null, '', `#${text}`);
  // A comparison of weeks, of which this page shows the second, has no time of its own on the map.
  const back = new URLSearchParams(hash);
  if (back.has('weeks')) back.delete('time');
  byId('map').href = `../#${back.toString().replaceAll('%2F', '/').replaceAll('%3A', ':')}`;
}

async function start() {
  const theme = (() => {
    try {
      return localStorage.getItem('kiln.theme');
    } catch {
      return null; // Without local storage the theme of the system applies.
    }
  })();
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  const cell = Number(hash.get('cell')) > 0 ? Number(hash.get('cell')) : 0.5;
  for (const side of [...new Set([...SIDES_M, cell])].sort((a, b) => a - b)) {
    byId('cell').append(new Option(`${side} m`, String(side), false, side === cell));
  }
  hash.set('layer', layer);
  remember();
  scene = new Scene(byId('view'));
  listen();
  showStatus('Loading…');
  await Promise.all([loadFloor(), loadColors()]);
  await loadGrid();
}

start().catch((error) => showStatus(error.message, true));
