import '../../page/src/base.css';
import './style.css';

import { byId, debounced } from '../../page/src/dom.js';
import { theme } from '../../page/src/theme.js';
import { Api, type Cell, type Colormaps, type Mask, type Place } from './api.js';
import { Crosshair } from './crosshair.js';
import { foldPanel, postClick } from './frame.js';
import { Gestures } from './gestures.js';
import { Hover, showUnder } from './hover.js';
import { LegendBar } from './legend.js';
import { Panel } from './panel.js';
import { Stack } from './picture.js';
import { Popup } from './popup.js';
import { copySnippet, showLinks } from './share.js';
import { Status } from './status.js';
import { fragmentOf, queryOf, readFragment, storedStyle, type Style } from './style.js';
import { spokenText } from './values.js';
import { Viewport, type Point } from './viewport.js';

/** The delay between the last change of a slider and the request of a picture. */
const PAUSE_MS = 120;
/** The delay between the last key press that moves the crosshair and the request of its value. */
const SPEAK_MS = 250;
/** The zoom factor of one press of a button or key. */
const ZOOM_STEP = 1.5;
/** The maximum delay of a timer; longer ones fire immediately. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const api = new Api();
const stack = new Stack();
const legend = new LegendBar();
const view = byId('view');
const viewport = new Viewport(() => placeAll());
const crosshair = new Crosshair(viewport);
const popup = new Popup(() => {
  clicked = null;
  legend.mark(null);
  view.focus();
});
const status = new Status(() => void status.watch(load()));
const hover = new Hover(api, (cell) => legend.mark(cell ?? clicked));

let loaded: { mask: Mask; colormaps: Colormaps; stored: Style; style: Style; panel: Panel } | null = null;
let clicked: Cell | null = null;
let drawing = new AbortController();
let expiry: ReturnType<typeof setTimeout> | undefined;

const speak = (text: string) => (byId('live').textContent = text);
const readCross = debounced(() => void status.watch(speakCross()), SPEAK_MS);
const draw = debounced(() => void status.watch(drawOverlay().then(() => status.clear())), PAUSE_MS);
const writeFragment = debounced(() => {
  if (!loaded) return;
  const text = fullFragment(loaded.style).toString();
  history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
}, 200);

/** Loads the mask, with the current style and view, or with those of the fragment if nothing has loaded yet. */
async function load(isUrlRead = !loaded): Promise<void> {
  const [mask, colormaps] = await Promise.all([api.mask(), api.colormaps()]);
  const stored = storedStyle(mask, colormaps);
  const fragment = loaded && !isUrlRead ? fullFragment(loaded.style) : new URLSearchParams(location.hash.slice(1));
  const style = readFragment(fragment, stored, colormaps);
  loaded = { mask, colormaps, stored, style, panel: new Panel(mask, colormaps, style, stored, setStyle) };
  stack.size(mask.width, mask.height);
  byId('stage').style.setProperty('--aspect', String(mask.width / mask.height));
  resize();
  readPlace(fragment);
  await Promise.all([drawBackground(mask), drawOverlay()]);
  status.clear();
  view.setAttribute('aria-busy', 'false');
  clearTimeout(expiry);
  expiry = setTimeout(() => void status.watch(api.mask().then(() => undefined)), Math.min(Math.max(mask.expires_at * 1000 - Date.now(), 0) + 1000, LONGEST_TIMER_MS));
}

/** Draws the background: the picture with an overlay of zero opacity. */
async function drawBackground(mask: Mask): Promise<void> {
  if (!mask.urls.background) return;
  await stack.show('background', await api.picture(new URLSearchParams({ opacity: '0' })), () => loaded?.mask === mask);
}

/** Requests the overlay and the legend in the current style. Cancels an older request. */
async function drawOverlay(): Promise<void> {
  if (!loaded) return;
  const { mask, style, stored } = loaded;
  drawing.abort();
  const { signal } = (drawing = new AbortController());
  const query = queryOf(style, stored, mask);
  const [shown, blob] = await Promise.all([api.legend(query, signal), api.picture(overlayQuery(query), signal)]);
  await stack.show('overlay', blob, () => !signal.aborted);
  if (signal.aborted) return;
  stack.fade(loaded.style.opacity);
  legend.show(shown, mask);
}

const overlayQuery = (query: URLSearchParams) => new URLSearchParams([...query, ['background', 'false'], ['opacity', '100']]);

function setStyle(style: Style): void {
  if (!loaded) return;
  const { mask, stored } = loaded;
  const isRedrawn = queryOf(style, stored, mask).toString() !== queryOf(loaded.style, stored, mask).toString();
  loaded.style = style;
  stack.fade(style.opacity);
  if (isRedrawn) draw();
  writeFragment();
  placeAll();
}

/** The style, and the part of the picture that is visible. */
function fullFragment(style: Style): URLSearchParams {
  if (!loaded) return new URLSearchParams();
  const fragment = fragmentOf(style, loaded.stored, loaded.mask);
  if (viewport.zoom > 1) {
    const { x, y } = viewport.middle;
    fragment.set('zoom', viewport.zoom.toFixed(2));
    fragment.set('x', x.toFixed(1));
    fragment.set('y', y.toFixed(1));
  }
  return fragment;
}

function readPlace(fragment: URLSearchParams): void {
  const [zoom, x, y] = ['zoom', 'x', 'y'].map((name) => Number.parseFloat(fragment.get(name) ?? '')) as [number, number, number];
  if ([zoom, x, y].every(Number.isFinite)) viewport.center({ x, y }, zoom);
  else viewport.zoomAt(0);
}

/** Updates the positions of all elements on the picture. */
function placeAll(): void {
  if (!loaded) return;
  const { mask, style, stored } = loaded;
  stack.place(viewport);
  crosshair.place(mask);
  popup.place(viewport);
  const zoom = `${viewport.zoom.toFixed(viewport.zoom < 9.95 ? 1 : 0)}×`;
  byId('zoom-all').textContent = zoom;
  byId('zoom-all').setAttribute('aria-label', `Zoom ${zoom}: show the whole picture`);
  view.classList.toggle('zoomed', viewport.zoom > 1);
  const query = queryOf(style, stored, mask);
  if (style.opacity !== stored.opacity) query.set('opacity', String(style.opacity));
  showLinks(api.pictureUrl(query), fullFragment(style), mask.width / mask.height);
  writeFragment();
}

function resize(): void {
  if (loaded) viewport.resize({ width: view.clientWidth, height: view.clientHeight }, loaded.mask);
}

/** Reports a click, and shows its value. */
async function click(place: Place): Promise<void> {
  clicked = await api.click(place);
  showUnder(null);
  popup.open(clicked, viewport);
  legend.mark(clicked);
  speak(spokenText(clicked));
  postClick(clicked);
  status.clear();
}

async function speakCross(): Promise<void> {
  const at = loaded && crosshair.point(loaded.mask);
  if (!at) return;
  const cell = await api.value(at.x, at.y);
  showUnder(cell);
  legend.mark(cell);
  speak(spokenText(cell));
}

function clickAt(at: Point): void {
  if (!loaded) return;
  const point = viewport.toPicture(at);
  if (!viewport.contains(point)) {
    if (popup.isOpen) popup.close();
    return;
  }
  crosshair.hide();
  void status.watch(click(point));
}

function zoomBy(factor: number, at?: Point | null): void {
  viewport.zoomAt(factor, at ?? undefined);
  speak(`Zoom ${viewport.zoom.toFixed(1)}`);
}

function key(event: KeyboardEvent): void {
  if (!loaded || event.ctrlKey || event.metaKey || event.altKey) return;
  const { mask } = loaded;
  const cross = crosshair.point(mask);
  const at = cross && viewport.toView(cross);
  if (crosshair.move(event, mask)) {
    if (popup.isOpen) popup.close();
    readCross();
    placeAll();
  } else if (event.key === '+' || event.key === '=') zoomBy(ZOOM_STEP, at);
  else if (event.key === '-') zoomBy(1 / ZOOM_STEP, at);
  else if (event.key === '0') zoomBy(0);
  else if (event.key === 'Enter' || event.key === ' ') {
    if (!cross) crosshair.set(viewport.middle, mask);
    placeAll();
    void status.watch(click(crosshair.point(mask)!));
  } else if (event.key === 'Escape') {
    popup.close();
    crosshair.hide();
    showUnder(null);
  } else return;
  event.preventDefault();
}

foldPanel();
theme(() => undefined);
new Gestures(view, viewport, {
  click: clickAt,
  hover: (at) => {
    const point = at && loaded && viewport.toPicture(at);
    hover.move(point && viewport.contains(point) ? point : null);
  },
});
new ResizeObserver(resize).observe(view);
view.addEventListener('keydown', key);
byId('zoom-in').addEventListener('click', () => zoomBy(ZOOM_STEP));
byId('zoom-out').addEventListener('click', () => zoomBy(1 / ZOOM_STEP));
byId('zoom-all').addEventListener('click', () => zoomBy(0));
byId('copy').addEventListener('click', () => void copySnippet());
addEventListener('hashchange', () => void status.watch(load(true)));
void status.watch(load());
