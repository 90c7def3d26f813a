// The map page: shows a layer as tiles or as one picture of the view. A click shows the value.

import { askKey, hasKey, reloadPage } from './key.js';
import { drawLand } from './land.js';
import { fetchJson, showPicture } from './requests.js';

const DEFAULTS = { scheme: 'heat', radius: 12, opacity: 80, curve: 'linear' };
const FADE = 0.2; // fraction of an opaque scheme's colors over which the picture fades in
const PADDING = 0.1; // of the view, on each side, so that a short drag shows no edge
const MAX_PIXELS = 2048; // of a picture's side
const MAX_RATIO = 2; // device pixels per CSS pixel
const DEBOUNCE_MS = 120;
const LEGEND_PX = 90; // height that the legend covers
const FIRST_ZOOM = { min: 2, max: 12 };
const WORLD = [[-60, -180], [75, 180]];
const PLANE_ZOOM = { min: -12, max: 8 }; // of layers in meters: at zoom z, a meter is 2^z pixels

const ON_GROUND = /^[0-9.]+ *k?m$/; // a radius such as 10km

const byId = (id) => document.getElementById(id);
const controls = Object.fromEntries(['layer', 'space', 'mode', 'scheme', 'radius', 'opacity', 'curve'].map((id) => [id, byId(id)]));
const number = (value) => value.toLocaleString('en');
const points = (count) => `${number(count)} ${count === 1 ? 'point' : 'points'}`;
const clamp = (value, min, max) => Math.min(Math.max(value, min), max);
const round = (value, digits) => Number(value.toFixed(digits));

const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;
let map;
let isPlane = false; // whether the map is in meters: x to the east, y to the north

let catalog = { layers: [], schemes: [] };
let attribution = null; // of the layer, as HTML
let pending = null; // AbortController of the pending request
let current = null; // the tiles or the overlay on the map
let legendOfTiles = null; // loads the legend of the tiles at a zoom
let stale = []; // the layers that `current` replaces once it has loaded

/** Creates the map of the globe or of a plane. */
function makeMap() {
  const zooms = isPlane ? { crs: L.CRS.Simple, minZoom: PLANE_ZOOM.min, maxZoom: PLANE_ZOOM.max, zoomSnap: 0.25 } : { minZoom: 1, maxZoom: 18 };
  map = L.map('map', { worldCopyJump: !isPlane, zoomAnimation: !reducedMotion, inertia: !reducedMotion, ...zooms });
  L.control.scale({ position: 'bottomright', imperial: false }).addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
}

// --------------------------------------------------------------------------------------------------- requests

/** The bounds and the size of a picture of the view, and its copies on each side where the view is wider than the world. Null if the view is outside the world. */
function frame() {
  const view = map.getPixelBounds();
  const world = isPlane ? Infinity : map.options.crs.scale(map.getZoom()); // width of the world in pixels
  const pad = view.getSize().multiplyBy(PADDING);
  const needed = view.getSize().x + 2 * pad.x;
  const isWorld = needed >= world;
  const width = Math.round(isWorld ? world : needed);
  const left = Math.round((view.min.x + view.max.x - width) / 2);
  const within = (y) => (isPlane ? y : clamp(y, 0, world));
  const [top, bottom] = [Math.round(within(view.min.y - pad.y)), Math.round(within(view.max.y + pad.y))];
  if (bottom - top < 1) return null;

  const scale = Math.min(devicePixelRatio, MAX_RATIO, MAX_PIXELS / Math.max(width, bottom - top));
  const corner = (x, y) => {
    const { lat, lng } = map.unproject([x, y]);
    return [round(lat, 6), round(lng, 6)];
  };
  const [north, west] = corner(left, top);
  const [south, edge] = corner(left + width, bottom);
  const east = isWorld ? round(west + 360, 6) : edge; // so that copies adjoin
  const copies = isWorld ? Math.ceil((needed / world - 1) / 2) : 0;
  const pixels = (length) => Math.max(1, Math.round(length * scale));
  return { bounds: [[south, west], [north, east]], size: [pixels(width), pixels(bottom - top)], scale, copies };
}

/** Whether a scheme is transparent at its low end. The others would show a hard edge there. */
const fadesIn = () => catalog.schemes.find(({ name }) => name === controls.scheme.value)?.family === 'Overlay';

/** A radius on the ground, of the layer or the hash, until another one is chosen. */
let groundRadius = null;

/** The style, with a radius in CSS pixels or on the ground. */
const style = () => ({
  scheme: controls.scheme.value,
  radius: groundRadius ?? controls.radius.valueAsNumber,
  opacity: controls.opacity.valueAsNumber / 100,
  transparent_low: fadesIn() ? 0 : FADE,
  curve: controls.curve.value,
});

/** The selected space of a layer in meters, a category, as a parameter: all of them at once would be a sum of floors. */
const spaces = () => (controls.space.value ? [controls.space.value] : null);

/** The style and the space as the query of a URL. */
const styleQuery = (others = {}) => new URLSearchParams({ ...others, ...style(), ...(spaces() && { category: JSON.stringify(spaces()) }) });

/** The request for a picture of the view. A radius in pixels is in those of the picture, not in CSS pixels. */
function overlayRequest({ bounds, size, scale }) {
  const radius = groundRadius ?? round(controls.radius.valueAsNumber * scale, 2);
  return { layer: controls.layer.value, bounds, size, projection: isPlane ? 'plane' : 'mercator', ...style(), radius, ...(spaces() && { category: spaces() }) };
}

const post = (request) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(request),
});

/** Whether the layer is current as tiles. */
const tiled = () => controls.mode.value === 'tiles';

/** Requests and shows the current view. Cancels the pending request. */
async function refresh() {
  pending?.abort();
  pending = new AbortController();
  const { signal } = pending;
  const area = controls.layer.value ? frame() : null;
  byId('map').setAttribute('aria-busy', String(area !== null));
  if (!area) return;
  try {
    await (tiled() ? refreshTiles(signal) : refreshOverlay(area, signal));
  } catch (error) {
    if (signal.aborted) return;
    clear(); // an old picture would be mistaken for the requested one
    report(error);
  }
  byId('map').setAttribute('aria-busy', 'false');
}

/** Shows an error, and asks for a key if there is none or it is not accepted. */
function report(error) {
  showStatus(error.message, true);
  if (error.status !== 401 || byId('key-form')) return;
  byId('settings').open = true;
  askKey(byId('controls'), error.message);
  showStatus('');
}

/** Shows one picture of the view. */
async function refreshOverlay(area, signal) {
  const request = overlayRequest(area);
  const began = performance.now();
  const reply = await fetchJson('overlays', { ...post(request), signal });
  const took = performance.now() - began;
  const [picture, legend] = await Promise.all([load(reply.url), loadLegend(reply.legend)]);
  if (signal.aborted) return;
  show(repeated(picture, turned(reply.bounds), area.copies), legend, overlaySnippet(request));
  showStatus(`${points(reply.points_drawn)} drawn in ${number(Math.round(took))} ms`);
}

/** A picture, and copies of it to the west and to the east. */
function repeated(picture, [[south, west], [north, east]], copies) {
  const turns = Array.from({ length: 1 + 2 * copies }, (_, i) => 360 * (i - copies));
  return L.layerGroup(turns.map((turn) => L.imageOverlay(turn ? picture.cloneNode() : picture, [[south, west + turn], [north, east + turn]], { className: 'heat', alt: '' })));
}

/** Shows the tiles of the layer's TileJSON. */
async function refreshTiles(signal) {
  const name = controls.layer.value;
  const address = `${name}?${styleQuery()}`;
  const tileJson = await fetchJson(address, { signal });
  const here = (url) => url.slice(url.lastIndexOf(`/${name}/`) + 1); // relative to this page's own URL
  legendOfTiles = (zoom) => loadLegend(`${here(tileJson.legend)}&zoom=${Math.min(zoom, tileJson.maxzoom)}`);
  const legend = await legendOfTiles(Math.round(map.getZoom()));
  if (signal.aborted) return;
  const url = here(tileJson.tiles[0]).replace('{y}.png', '{y}{r}.png');
  const tiles = new (hasKey() ? KeyedTiles : L.TileLayer)(url, { minZoom: PLANE_ZOOM.min, maxNativeZoom: tileJson.maxzoom, className: 'heat' });
  tiles.on('tileerror', () => showStatus('Some tiles failed to load.', true));
  show(tiles, legend, tilesSnippet(address));
  showStatus(points(tileJson.kiln.points));
}

/** Shows the legend of the new zoom, whose color scale differs. */
async function refreshLegend() {
  const [requested, zoom] = [legendOfTiles, Math.round(map.getZoom())];
  if (!tiled() || !requested) return;
  const legend = await requested(zoom);
  if (legend && requested === legendOfTiles && zoom === Math.round(map.getZoom()) && current) byId('legend').replaceChildren(legend);
}

/** Shows the value at a location in a popup. */
async function showValue({ latlng }) {
  const name = controls.layer.value;
  const { lat, lng } = isPlane ? latlng : latlng.wrap();
  if (!name || (!isPlane && Math.abs(lat) > 85)) return;
  const requested = styleQuery({ z: Math.round(map.getZoom()) });
  const text = await fetchJson(`${name}/point/${round(lng, 7)},${round(lat, 7)}?${requested}`).then(
    ({ value, unit, percentile, points: near, radius_m: radius }) => {
      const reach = radius < 1000 ? `${Number(radius.toPrecision(3))} m` : `${number(Number((radius / 1000).toPrecision(3)))} km`;
      const amount = value === null ? 'No value' : `${Number(value.toPrecision(4))} ${unit}`;
      const rank = percentile === null ? '' : `\nAt or above ${Math.floor(percentile)} % of the map at this zoom`;
      return `${amount}${rank}\n${points(near)} within ${reach}`;
    },
    (error) => error.message,
  );
  const content = document.createElement('span');
  content.className = 'value';
  content.textContent = text;
  L.popup().setLatLng(latlng).setContent(content).openOn(map);
}

/** Returns a function that calls `then` after a pause in its calls. */
function debounced(then) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(then, DEBOUNCE_MS);
  };
}

// ----------------------------------------------------------------------------------------------------- responses

/** Loads and decodes a picture, so that it is painted as soon as it is added to the map. */
async function load(url) {
  const picture = new Image();
  picture.src = url;
  return decoded(picture, url);
}

async function decoded(picture, url) {
  await picture.decode().catch(() => {
    throw new Error(`The picture ${url} failed to load.`);
  });
  return picture;
}

/** Tiles that are loaded with the key of the visitor. */
const KeyedTiles = L.TileLayer.extend({
  createTile(coords, done) {
    const image = Object.assign(document.createElement('img'), { alt: '' });
    image.addEventListener('load', () => done(null, image));
    image.addEventListener('error', () => done(new Error('The tile cannot be decoded.'), image));
    showPicture(image, this.getTileUrl(coords)).catch((error) => done(error, image));
    return image;
  },
});

/** Loads the picture of a legend. Returns null if that fails: the map stays usable without it. */
async function loadLegend(url) {
  const picture = new Image();
  const legend = url ? await showPicture(picture, url).then(() => decoded(picture, url)).catch(() => null) : null;
  if (legend) legend.alt = 'Legend of the color scale';
  return legend;
}

/** Adds tiles or a loaded picture to the map and removes the old layers: tiles after the new ones have loaded. */
function show(next, legend, snippet) {
  if (current) stale.push(current);
  current = next;
  if (tiled()) next.once('load', removeStale);
  next.addTo(map);
  if (!tiled()) removeStale();
  byId('legend').replaceChildren(...(legend ? [legend] : []));
  byId('leaflet').hidden = false;
  byId('snippet').textContent = snippet;
  document.title = `${layer()?.title ?? controls.layer.value} - Kiln`;
}

function removeStale() {
  stale.forEach((each) => each.remove());
  stale = [];
}

function clear() {
  current?.remove();
  current = null;
  removeStale();
  byId('leaflet').hidden = true;
  byId('legend').replaceChildren();
}

/** Moves bounds by multiples of 360° to the copy of the world in view. */
function turned([[south, west], [north, east]]) {
  if (isPlane) return [[south, west], [north, east]];
  const width = east > west ? east - west : east - west + 360; // east < west: across the antimeridian
  const turns = Math.round((map.getCenter().lng - (west + width / 2)) / 360);
  return [[south, west + turns * 360], [north, west + turns * 360 + width]];
}

function showStatus(text, isError = false) {
  byId('status').textContent = text;
  byId('status').classList.toggle('error', isError);
}

/** The base URL of the server. */
const server = () => new URL('.', document.baseURI).href;

/** What code needs on a server with keys: its reader fills in a key. */
const KEY_PARAMETER = '&key=YOUR_KEY';

/** The comment of a snippet about the map that it needs. */
const snippetMap = () => `// \`map\` is the map of a page with Leaflet 1.9${isPlane ? ', with crs: L.CRS.Simple' : ''}.`;

/** Code that adds the layer's tiles to a Leaflet map. */
function tilesSnippet(address) {
  return [
    snippetMap(),
    `fetch('${server()}${address}${hasKey() ? KEY_PARAMETER : ''}').then((response) => response.json()).then(({ tiles, maxzoom, attribution }) => {`,
    '  L.tileLayer(tiles[0], { maxNativeZoom: maxzoom, attribution }).addTo(map);',
    '});',
  ].join('\n');
}

/** Code that adds a picture of the view to a Leaflet map. */
function overlaySnippet(request) {
  return [
    snippetMap(),
    `const server = '${server()}', headers = { 'Content-Type': 'application/json'${hasKey() ? ", Authorization: 'Bearer YOUR_KEY'" : ''} };`,
    `const body = JSON.stringify(${JSON.stringify(request)});`,
    "fetch(server + 'overlays', { method: 'POST', headers, body }).then((response) => response.json()).then((overlay) => {",
    '  L.imageOverlay(new URL(overlay.url, server).href, overlay.bounds).addTo(map);',
    '});',
  ].join('\n');
}

/** Copies the snippet. Without clipboard access (plain HTTP), selects it for Ctrl+C. */
async function copySnippet() {
  const done = (text) => {
    byId('copy').textContent = text;
    setTimeout(() => { byId('copy').textContent = 'Copy'; }, 2000);
  };
  try {
    await navigator.clipboard.writeText(byId('snippet').textContent);
    done('Copied');
  } catch {
    getSelection().selectAllChildren(byId('snippet'));
    done('Selected: press Ctrl+C');
  }
}

// ----------------------------------------------------------------------------------------------------------- the panel

const layer = () => catalog.layers.find(({ name }) => name === controls.layer.value);

function option(value, label = value) {
  const element = document.createElement('option');
  element.value = value;
  element.textContent = label;
  return element;
}

function fillLayers() {
  controls.layer.replaceChildren(...catalog.layers.map(({ name, title }) => option(name, title ?? name)));
}

/** The schemes, grouped by family in the catalog's order. */
function fillSchemes() {
  const groups = new Map();
  for (const { name, family } of catalog.schemes) {
    if (!groups.has(family)) {
      const group = document.createElement('optgroup');
      group.label = family;
      groups.set(family, group);
    }
    groups.get(family).append(option(name));
  }
  controls.scheme.replaceChildren(...groups.values());
}

/** Sets a control. Ignores invalid values, such as those of a hash typed by hand. */
function set(name, value) {
  const control = controls[name];
  if (value === null || value === '') return;
  if (control.tagName !== 'SELECT') {
    if (Number.isFinite(Number(value))) control.value = value; // a slider clamps to its range
  } else if ([...control.options].some((each) => each.value === value)) {
    control.value = value;
  }
}

/** Lists the spaces of a layer in meters, its categories, if there are two or more. The first is selected. */
async function fillSpaces() {
  const { categories } = await fetchJson(`${controls.layer.value}/statistics?zoom=0`);
  const names = categories?.names ?? [];
  byId('space-field').hidden = names.length < 2;
  if (names.length < 2) return controls.space.replaceChildren();
  controls.space.replaceChildren(...names.map((name) => option(name)), option('', 'all spaces'));
}

/** Says which layer or space of the hash does not exist, and what is shown instead. */
function noticeUnknown(state) {
  const unknown = ['layer', 'space'].filter((name) => state.get(name) && controls[name].value !== state.get(name));
  const shown = (control) => control.selectedOptions[0]?.textContent ?? 'all points';
  byId('notice').textContent = unknown.map((name) => `There is no ${name} \`${state.get(name)}\`; showing ${shown(controls[name])}.`).join(' ');
}

function updateOutputs() {
  byId('radius-value').textContent = groundRadius ?? `${controls.radius.value} px`;
  byId('opacity-value').textContent = `${controls.opacity.value} %`;
}

/** Shows the number of points, the weight and the attribution of the selected layer. */
function describeLayer() {
  const chosen = layer();
  const weight = chosen?.weight ? `, weighted by ${chosen.weight}` : '';
  byId('about').textContent = chosen ? `${points(chosen.points)}${weight}` : '';
  if (attribution) map.attributionControl.removeAttribution(attribution);
  attribution = chosen?.attribution ? escaped(chosen.attribution) : null;
  if (attribution) map.attributionControl.addAttribution(attribution);
}

/** Escapes text for HTML, the only format of Leaflet's attribution. */
function escaped(text) {
  const element = document.createElement('span');
  element.textContent = text;
  return element.innerHTML;
}

/** Fits the map to the bounds of the layer: at zoom 2 or higher, or, in meters, beside the panel and above the legend. */
function fit(bounds) {
  const box = L.latLngBounds(bounds ?? WORLD);
  if (isPlane) {
    const { floorplan } = layer();
    if (floorplan) box.extend(floorplan.bounds);
    const isNarrow = innerWidth <= 600;
    const covered = isNarrow ? 0 : byId('panel').offsetWidth + 10;
    const options = { paddingTopLeft: [20, isNarrow ? 60 : 20], paddingBottomRight: [covered + 20, LEGEND_PX], animate: false };
    return void map.fitBounds(box, options);
  }
  const fitting = map.getBoundsZoom(box.pad(0.05));
  const zoom = clamp(fitting, FIRST_ZOOM.min, FIRST_ZOOM.max);
  const [low, high] = [map.project(box.getSouthWest(), zoom), map.project(box.getNorthEast(), zoom)];
  map.setView(map.unproject(low.add(high).divideBy(2), zoom), zoom, { animate: false });
}

/** Applies the default style of the layer. */
function applyLayerStyle() {
  const style = layer()?.style ?? {};
  const radius = /^([0-9.]+)(px)?$/.exec(style.radius ?? '');
  groundRadius = ON_GROUND.test(style.radius ?? '') ? style.radius : null;
  const own = { scheme: style.scheme, curve: style.curve, radius: radius?.[1] };
  own.opacity = style.opacity === undefined ? undefined : String(Math.round(Number(style.opacity) * 100));
  for (const [name, value] of Object.entries(DEFAULTS)) set(name, String(own[name] ?? value));
}

function chooseLayer() {
  if (isPlane || inMeters(layer())) {
    // The other kind of layers needs another map, and a layer in meters has a plan and spaces of its own.
    history.replaceState(null, '', `#${new URLSearchParams({ layer: controls.layer.value })}`);
    return reloadPage();
  }
  applyLayerStyle();
  updateOutputs();
  describeLayer();
  const bounds = layer()?.bounds;
  if (bounds && !map.getBounds().intersects(bounds)) fit(bounds);
}

// -------------------------------------------------------------------------------------- the state in the hash

function writeHash() {
  const { lat, lng } = isPlane ? map.getCenter() : map.getCenter().wrap();
  const digits = Math.max(2, Math.ceil(map.getZoom() / 3)); // fine enough for a pixel
  const state = {
    layer: controls.layer.value,
    at: [map.getZoom(), round(lat, digits), round(lng, digits)].join('/'),
    mode: controls.mode.value,
    scheme: controls.scheme.value,
    radius: groundRadius ?? controls.radius.value,
    opacity: controls.opacity.value,
    curve: controls.curve.value,
    ...(isPlane && controls.space.options.length && { space: controls.space.value }),
  };
  history.replaceState(null, '', `#${new URLSearchParams(state).toString().replaceAll('%2F', '/')}`);
}

/** Applies the hash. Returns whether it has a map position. */
function readHash() {
  const state = new URLSearchParams(location.hash.slice(1));
  if (state.has('layer')) {
    set('layer', state.get('layer'));
    applyLayerStyle();
  }
  for (const name of Object.keys(controls)) set(name, state.get(name));
  if (state.has('radius')) groundRadius = ON_GROUND.test(state.get('radius')) ? state.get('radius') : null;
  if (state.get('space') === '') controls.space.value = '';
  noticeUnknown(state);
  updateOutputs();
  describeLayer();
  const place = (state.get('at') ?? '').split('/').map(Number);
  if (place.length !== 3 || !place.every(Number.isFinite)) return false;
  const [zoom, lat, lng] = place;
  if (isPlane) map.setView([lat, lng], clamp(zoom, PLANE_ZOOM.min, PLANE_ZOOM.max));
  else map.setView([clamp(lat, -85, 85), L.Util.wrapNum(lng, [-180, 180], true)], clamp(Math.round(zoom), 1, 18));
  return true;
}

// --------------------------------------------------------------------------------------------------------- plan

const inMeters = (layer) => layer !== undefined && !layer.projections.includes('mercator');

/** Draws the floor plan of a layer in meters, if it has one. */
function drawPlan() {
  const { name, floorplan } = layer();
  if (!floorplan) return;
  map.createPane('plan').style.zIndex = 150; // below the tiles and the pictures
  const url = `${name}/floorplan${new URL(floorplan.url, server()).search}`;
  const image = Object.assign(new Image(), { alt: 'Floor plan' });
  const failed = () => showStatus('The floor plan failed to load.', true);
  L.imageOverlay(image, floorplan.bounds, { pane: 'plan', className: 'plan' }).on('error', failed).addTo(map);
  showPicture(image, url).catch(failed);
}

// --------------------------------------------------------------------------------------------------------------- start

function listen() {
  const later = debounced(refresh);
  map.on('moveend', () => {
    writeHash();
    if (!tiled()) later();
  });
  map.on('zoomend', () => void refreshLegend());
  map.on('click', showValue);
  byId('controls').addEventListener('input', ({ target }) => {
    byId('notice').textContent = '';
    if (target === controls.layer) chooseLayer();
    if (target === controls.radius) groundRadius = null;
    updateOutputs();
    writeHash();
    later();
  });
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  byId('copy').addEventListener('click', copySnippet);
  addEventListener('hashchange', () => {
    const before = controls.layer.value;
    readHash();
    if (inMeters(layer()) !== isPlane || (isPlane && before !== controls.layer.value)) reloadPage();
    later();
  });
}

async function start() {
  byId('settings').open = innerWidth >= 600;
  try {
    catalog = await fetchJson('catalog');
  } finally {
    fillLayers();
    set('layer', new URLSearchParams(location.hash.slice(1)).get('layer'));
    isPlane = inMeters(layer());
    makeMap();
  }
  if (isPlane) drawPlan();
  else drawLand(map).catch((error) => showStatus(error.message, true));
  if (isPlane) await fillSpaces().catch((error) => showStatus(error.message, true));
  fillSchemes();
  applyLayerStyle();
  if (!catalog.layers.length) showStatus('The server has no layers.', true);
  const hasPosition = readHash();
  if (!hasPosition) fit(layer()?.bounds);
  listen();
  writeHash();
  await refresh();
}

start().catch((error) => {
  if (!map._loaded) fit(WORLD);
  report(error);
});
