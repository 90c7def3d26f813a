// The map page: shows a layer by its tiles, or by one picture of what is on screen. A click asks for the value there.

const DEFAULTS = { scheme: 'heat', radius: 12, opacity: 80, curve: 'linear' };
const FADE = 0.2; // share of an opaque scheme's colors over which the picture fades in
const PADDING = 0.1; // of the view, on each side, so that a short drag shows no edge
const MAX_PIXELS = 2048; // of a picture's side
const MAX_RATIO = 2; // picture pixels per CSS pixel
const DEBOUNCE_MS = 120;
const FIRST_ZOOM = { least: 2, most: 12 };
const WORLD = [[-60, -180], [75, 180]];

const byId = (id) => document.getElementById(id);
const controls = Object.fromEntries(['layer', 'mode', 'scheme', 'radius', 'opacity', 'curve'].map((id) => [id, byId(id)]));
const number = (value) => value.toLocaleString('en');
const points = (count) => `${number(count)} ${count === 1 ? 'point' : 'points'}`;
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const round = (value, digits) => Number(value.toFixed(digits));

const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
const map = L.map('map', { worldCopyJump: true, minZoom: 1, maxZoom: 18, zoomAnimation: !still, inertia: !still });
map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');

let catalog = { layers: [], schemes: [] };
let attribution = null; // of the layer, as HTML
let underWay = null; // AbortController of the request that is being answered
let shown = null; // the tiles or the overlay on the map
let legendOfTiles = null; // the picture of their legend at a zoom
let stale = []; // what it replaces, until it is there

// --------------------------------------------------------------------------------------------------- asking the server

/** The answer to a request as JSON. A problem (RFC 9457) becomes an error with its detail. */
async function ask(url, options) {
  const answer = await fetch(url, options).catch((error) => {
    throw error.name === 'AbortError' ? error : new Error('The server cannot be reached.');
  });
  const type = answer.headers.get('content-type') ?? '';
  if (answer.ok) return answer.json();
  const problem = type.startsWith('application/problem+json') ? await answer.json() : {};
  const title = problem.title ?? `The server answered ${answer.status} ${answer.statusText}`.trim();
  throw new Error(problem.detail ?? title);
}

/** The ground and the size of the picture for the current view; null where the view shows no ground. */
function frame() {
  const view = map.getPixelBounds();
  const world = map.options.crs.scale(map.getZoom()); // pixels around the globe
  const pad = view.getSize().multiplyBy(PADDING);
  const width = Math.round(Math.min(view.getSize().x + 2 * pad.x, world)); // never more than once around
  const left = Math.round((view.min.x + view.max.x - width) / 2);
  const top = Math.round(clamp(view.min.y - pad.y, 0, world));
  const bottom = Math.round(clamp(view.max.y + pad.y, 0, world));
  if (bottom - top < 1) return null;

  const scale = Math.min(devicePixelRatio, MAX_RATIO, MAX_PIXELS / Math.max(width, bottom - top));
  const corner = (x, y) => {
    const { lat, lng } = map.unproject([x, y]);
    return [round(lat, 6), round(lng, 6)];
  };
  const [north, west] = corner(left, top);
  const [south, east] = corner(left + width, bottom);
  const pixels = (length) => Math.max(1, Math.round(length * scale));
  return { bounds: [[south, west], [north, east]], size: [pixels(width), pixels(bottom - top)], scale };
}

/** Whether the scheme itself turns transparent where there is little; the others would end in a hard edge. */
const fadesIn = () => catalog.schemes.find(({ name }) => name === controls.scheme.value)?.family === 'Overlay';

/** How the layer is to be drawn, with the radius in pixels of the screen. */
const style = () => ({
  scheme: controls.scheme.value,
  radius: controls.radius.valueAsNumber,
  opacity: controls.opacity.valueAsNumber / 100,
  transparent_low: fadesIn() ? 0 : FADE,
  curve: controls.curve.value,
});

/** The request for the picture of what is on screen. Its radius is in pixels of the picture, not of the screen. */
function overlayRequest({ bounds, size, scale }) {
  const radius = round(controls.radius.valueAsNumber * scale, 2);
  return { layer: controls.layer.value, bounds, size, projection: 'mercator', ...style(), radius };
}

const post = (request) => ({
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(request),
});

/** Whether the layer is shown by its tiles. */
const tiled = () => controls.mode.value === 'tiles';

/** Asks for what is to be shown and shows it; a request that is still under way is dropped. */
async function refresh() {
  underWay?.abort();
  underWay = new AbortController();
  const { signal } = underWay;
  const ground = controls.layer.value ? frame() : null;
  byId('map').setAttribute('aria-busy', String(ground !== null));
  if (!ground) return;
  try {
    await (tiled() ? refreshTiles(signal) : refreshOverlay(ground, signal));
  } catch (error) {
    if (signal.aborted) return;
    clear(); // an old picture would be taken for what was asked for now
    say(error.message, true);
  }
  byId('map').setAttribute('aria-busy', 'false');
}

/** Shows the picture of what is on screen. */
async function refreshOverlay(ground, signal) {
  const request = overlayRequest(ground);
  const began = performance.now();
  const reply = await ask('overlays', { ...post(request), signal });
  const took = performance.now() - began;
  const [picture, legend] = await Promise.all([load(reply.url), loadLegend(reply.legend)]);
  if (signal.aborted) return;
  show(L.imageOverlay(picture, turned(reply.bounds), { className: 'heat', alt: '' }), legend, overlaySnippet(request));
  say(`${points(reply.points_drawn)} drawn in ${number(Math.round(took))} ms`);
}

/** Shows the tiles that the layer's TileJSON tells of. */
async function refreshTiles(signal) {
  const name = controls.layer.value;
  const address = `${name}?${new URLSearchParams(style())}`;
  const told = await ask(address, { signal });
  const here = (url) => url.slice(url.lastIndexOf(`/${name}/`) + 1); // however this page itself was reached
  legendOfTiles = (zoom) => loadLegend(`${here(told.legend)}&zoom=${Math.min(zoom, told.maxzoom)}`);
  const legend = await legendOfTiles(map.getZoom());
  if (signal.aborted) return;
  const url = here(told.tiles[0]).replace('{y}.png', '{y}{r}.png');
  const tiles = L.tileLayer(url, { maxNativeZoom: told.maxzoom, className: 'heat' });
  tiles.on('tileerror', () => say('Some tiles cannot be loaded.', true));
  show(tiles, legend, tilesSnippet(address));
  say(points(told.kiln.points));
}

/** Shows the legend of the tiles of the new zoom, whose colors mean other values. */
async function refreshLegend() {
  const [asked, zoom] = [legendOfTiles, map.getZoom()];
  if (!tiled() || !asked) return;
  const legend = await asked(zoom);
  if (legend && asked === legendOfTiles && zoom === map.getZoom() && shown) byId('legend').replaceChildren(legend);
}

/** Tells the value at a place in a popup. */
async function tellValue({ latlng }) {
  const name = controls.layer.value;
  const { lat, lng } = latlng.wrap();
  if (!name || Math.abs(lat) > 85) return;
  const asked = new URLSearchParams({ z: map.getZoom(), ...style() });
  const text = await ask(`${name}/point/${round(lng, 7)},${round(lat, 7)}?${asked}`).then(
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

/** A function that calls `then` once no more calls have come for a while. */
function debounced(then) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(then, DEBOUNCE_MS);
  };
}

// ----------------------------------------------------------------------------------------------------- showing answers

/** The picture at `url`, loaded and decoded, so that it is painted the moment it enters the map. */
async function load(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode().catch(() => {
    throw new Error(`The picture ${url} cannot be loaded.`);
  });
  return picture;
}

/** The legend's picture; null if there is none, as the map is worth showing without it. */
async function loadLegend(url) {
  const legend = url ? await load(url).catch(() => null) : null;
  if (legend) legend.alt = 'Legend: which color stands for which value';
  return legend;
}

/** Lays tiles or a loaded picture on the map and takes the old ones away: tiles once the new ones are there. */
function show(next, legend, snippet) {
  if (shown) stale.push(shown);
  shown = next;
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
  shown?.remove();
  shown = null;
  removeStale();
  byId('leaflet').hidden = true;
  byId('legend').replaceChildren();
}

/** Bounds, moved by whole turns of the globe to the copy of the world that is on screen. */
function turned([[south, west], [north, east]]) {
  const width = east > west ? east - west : east - west + 360; // east < west: across the antimeridian
  const turns = Math.round((map.getCenter().lng - (west + width / 2)) / 360);
  return [[south, west + turns * 360], [north, west + turns * 360 + width]];
}

function say(text, wrong = false) {
  byId('status').textContent = text;
  byId('status').classList.toggle('error', wrong);
}

/** Where the server is. */
const server = () => new URL('.', document.baseURI).href;

/** Lines that put the layer's tiles on anybody's Leaflet map. */
function tilesSnippet(address) {
  return [
    `const told = await (await fetch('${server()}${address}')).json();`,
    'const { maxzoom: maxNativeZoom, attribution } = told;',
    'L.tileLayer(told.tiles[0], { maxNativeZoom, attribution }).addTo(map);',
  ].join('\n');
}

/** Five lines that put the picture of what is on screen on anybody's Leaflet map. */
function overlaySnippet(request) {
  return [
    `const server = '${server()}', headers = { 'Content-Type': 'application/json' };`,
    `const body = JSON.stringify(${JSON.stringify(request)});`,
    "const answer = await fetch(server + 'overlays', { method: 'POST', headers, body });",
    'const overlay = await answer.json();',
    'L.imageOverlay(new URL(overlay.url, server).href, overlay.bounds).addTo(map);',
  ].join('\n');
}

/** Copies the lines; where the browser allows no copying (plain HTTP), selects them for Ctrl+C. */
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

/** Sets a control; what it cannot take (from a hash typed by hand) leaves it as it is. */
function set(name, value) {
  const control = controls[name];
  if (value === null || value === '') return;
  if (control.tagName !== 'SELECT') {
    if (Number.isFinite(Number(value))) control.value = value; // a slider keeps to its own ends
  } else if ([...control.options].some((each) => each.value === value)) {
    control.value = value;
  }
}

function tellValues() {
  byId('radius-value').textContent = `${controls.radius.value} px`;
  byId('opacity-value').textContent = `${controls.opacity.value} %`;
}

/** Tells of the chosen layer: how many points, their weight, and whose they are. */
function tellLayer() {
  const chosen = layer();
  const weight = chosen?.weight ? `, weighted by ${chosen.weight}` : '';
  byId('about').textContent = chosen ? `${points(chosen.points)}${weight}` : '';
  if (attribution) map.attributionControl.removeAttribution(attribution);
  attribution = chosen?.attribution ? escaped(chosen.attribution) : null;
  if (attribution) map.attributionControl.addAttribution(attribution);
}

/** Text as HTML: Leaflet's attribution knows nothing else. */
function escaped(text) {
  const element = document.createElement('span');
  element.textContent = text;
  return element.innerHTML;
}

/** Shows all of the layer, but never more than the world at zoom 2. */
function fit(bounds) {
  const box = L.latLngBounds(bounds ?? WORLD);
  const zoom = clamp(map.getBoundsZoom(box.pad(0.05)), FIRST_ZOOM.least, FIRST_ZOOM.most);
  const [low, high] = [map.project(box.getSouthWest(), zoom), map.project(box.getNorthEast(), zoom)];
  map.setView(map.unproject(low.add(high).divideBy(2), zoom), zoom, { animate: false });
}

/** Takes over how the layer is drawn unless somebody says otherwise. */
function takeStyle() {
  const style = layer()?.style ?? {};
  const radius = /^([0-9.]+)(px)?$/.exec(style.radius ?? '');
  const usual = { scheme: style.scheme, curve: style.curve, radius: radius?.[1] };
  usual.opacity = style.opacity === undefined ? undefined : String(Math.round(Number(style.opacity) * 100));
  for (const [name, value] of Object.entries(DEFAULTS)) set(name, String(usual[name] ?? value));
}

function chooseLayer() {
  takeStyle();
  tellValues();
  tellLayer();
  const bounds = layer()?.bounds;
  if (bounds && !map.getBounds().intersects(bounds)) fit(bounds);
}

// -------------------------------------------------------------------------------------- what is on screen, in the hash

function writeHash() {
  const { lat, lng } = map.getCenter().wrap();
  const digits = Math.max(2, Math.ceil(map.getZoom() / 3)); // fine enough for a pixel
  const state = {
    layer: controls.layer.value,
    at: [map.getZoom(), round(lat, digits), round(lng, digits)].join('/'),
    mode: controls.mode.value,
    scheme: controls.scheme.value,
    radius: controls.radius.value,
    opacity: controls.opacity.value,
    curve: controls.curve.value,
  };
  history.replaceState(null, '', `#${new URLSearchParams(state).toString().replaceAll('%2F', '/')}`);
}

/** Takes over what the hash says. Answers whether it named a place. */
function readHash() {
  const state = new URLSearchParams(location.hash.slice(1));
  if (state.has('layer')) {
    set('layer', state.get('layer'));
    takeStyle();
  }
  for (const name of Object.keys(controls)) set(name, state.get(name));
  tellValues();
  tellLayer();
  const place = (state.get('at') ?? '').split('/').map(Number);
  if (place.length !== 3 || !place.every(Number.isFinite)) return false;
  const [zoom, lat, lng] = place;
  map.setView([clamp(lat, -85, 85), L.Util.wrapNum(lng, [-180, 180], true)], clamp(Math.round(zoom), 1, 18));
  return true;
}

// ------------------------------------------------------------------------------------------------------------ the land

/** The rings of a TopoJSON polygon as [lng, lat], without jumps: where one crosses ±180°, it goes on beyond. */
function ringsOf(polygon, arcs) {
  return polygon.map((ring) => {
    const points = [];
    let turn = 0;
    for (const index of ring) {
      const arc = index < 0 ? [...arcs[~index]].reverse() : arcs[index];
      for (const [lng, lat] of points.length ? arc.slice(1) : arc) {
        const step = points.length ? lng + turn - points.at(-1)[0] : 0;
        if (Math.abs(step) > 180) turn -= Math.sign(step) * 360;
        points.push([lng + turn, lat]);
      }
    }
    return points;
  });
}

/** The polygons of a TopoJSON topology: delta-encoded integers to degrees, arcs to rings. */
function polygonsOf({ arcs, transform: { scale, translate }, objects }) {
  const places = arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => [(x += dx) * scale[0] + translate[0], (y += dy) * scale[1] + translate[1]]);
  });
  return objects.land.geometries.flatMap((land) => land.arcs.map((polygon) => ringsOf(polygon, places)));
}

/** A ring to fill: one around a pole (Antarctica) ends a whole turn away from its start, and closes along the pole. */
function filled(ring) {
  const [first, last] = [ring[0], ring.at(-1)];
  return Math.abs(first[0] - last[0]) < 180 ? ring : [...ring, [last[0], -90], [first[0], -90]];
}

/** A ring's coast: all but the cuts that run along the antimeridian. */
function coast(ring) {
  const isCut = ([lng]) => Math.abs(lng % 360) > 179.999 && Math.abs(lng % 360) < 180.001;
  const lines = [[ring[0]]];
  for (let i = 1; i < ring.length; i++) {
    if (isCut(ring[i - 1]) && isCut(ring[i])) lines.push([]);
    lines.at(-1).push(ring[i]);
  }
  return lines;
}

/** Draws the land, five times side by side, for views that are wider than the world. */
async function drawLand() {
  const polygons = polygonsOf(await ask('assets/land.json'));
  const pane = map.createPane('land');
  pane.style.zIndex = 150; // below the tiles and the pictures
  const renderer = L.svg({ pane: 'land', padding: 0.5 });
  const copies = (places) => [-720, -360, 0, 360, 720].map((turn) => places.map(([lng, lat]) => [lat, lng + turn]));
  const fills = polygons.flatMap((rings) => {
    const each = rings.map((ring) => copies(filled(ring)));
    return each[0].map((_, i) => each.map((ring) => ring[i])); // a ring and its holes, copy by copy
  });
  const lines = polygons.flat().flatMap(coast).filter((line) => line.length > 1).flatMap(copies);
  L.polygon(fills, { renderer, pane: 'land', interactive: false, stroke: false, className: 'land' }).addTo(map);
  L.polyline(lines, { renderer, pane: 'land', interactive: false, weight: 1, className: 'coast' }).addTo(map);
  map.attributionControl.addAttribution('Land: Natural Earth');
}

// --------------------------------------------------------------------------------------------------------------- start

function listen() {
  const later = debounced(refresh);
  map.on('moveend', () => {
    writeHash();
    if (!tiled()) later();
  });
  map.on('zoomend', () => void refreshLegend());
  map.on('click', tellValue);
  byId('controls').addEventListener('input', ({ target }) => {
    if (target === controls.layer) chooseLayer();
    tellValues();
    writeHash();
    later();
  });
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  byId('copy').addEventListener('click', copySnippet);
  addEventListener('hashchange', () => { readHash(); later(); });
}

async function start() {
  byId('settings').open = innerWidth >= 600;
  drawLand().catch((error) => say(error.message, true));
  catalog = await ask('catalog');
  fillLayers();
  fillSchemes();
  takeStyle();
  if (!catalog.layers.length) say('The server has no layers.', true);
  const placed = readHash();
  if (!placed) fit(layer()?.bounds);
  listen();
  writeHash();
  await refresh();
}

start().catch((error) => {
  if (!map._loaded) fit(WORLD);
  say(error.message, true);
});
