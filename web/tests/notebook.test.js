// The widgets of the Python package, with a model as a notebook has it. In place of the kernel, a Kiln server draws the tiles.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { GREEN, isGreen, middle, near, open } from './browser.js';
import { serve, site, STOCKHOLM } from './kiln.js';

const source = (widget) => readFileSync(new URL(`../../crates/kiln-python/python/kiln/static/${widget}.js`, import.meta.url), 'utf8');

let kiln, chromium, host;
const pages = { '/cell': '<!doctype html><style>body { margin: 0; background: #fff }</style><div id="cell" style="width: 600px"></div>' };
before(async () => {
  [kiln, chromium, host] = await Promise.all([serve(), open(), site(pages)]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  host?.stop();
});

/** Shows a widget with traits. `window.model` is its model, and `window.close` removes it. */
async function show(widget, traits) {
  const visitor = await chromium.page({ viewport: { width: 600, height: 500 } }, [kiln.url, host.url]);
  await visitor.page.goto(`${host.url}/cell`);
  await visitor.page.evaluate(
    async ({ code, traits, server, gradient }) => {
      const listeners = {};
      const emit = (event, ...data) => (listeners[event] ?? []).forEach((callback) => callback(...data));
      window.sent = [];
      window.failing = '';
      window.model = {
        get: (name) => traits[name],
        set: (name, value) => {
          traits[name] = value;
          emit(`change:${name}`);
        },
        save_changes: () => (window.saved = (window.saved ?? 0) + 1),
        on: (event, callback) => (listeners[event] ??= []).push(callback),
        off: (event, callback) => (listeners[event] = (listeners[event] ?? []).filter((other) => other !== callback)),
        send: async (content) => {
          window.sent.push(content);
          if (content.kind === 'value') return emit('msg:custom', { id: content.id, text: '5 people per km²' }, []);
          if (content.kind !== 'tile') return;
          if (window.failing) return emit('msg:custom', { id: content.id, error: window.failing }, []);
          const { z, x, y } = content;
          const side = 2 ** z;
          const url = `${server}/one/${z}/${((x % side) + side) % side}/${y}.png?radius=20&gradient=${encodeURIComponent(gradient)}`;
          const bytes = await (await fetch(url)).arrayBuffer();
          emit('msg:custom', { id: content.id }, [new DataView(bytes)]);
        },
      };
      const module = await import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
      window.close = module.default.render({ model: window.model, el: document.getElementById('cell') });
      window.listening = () => Object.values(listeners).flat().length;
    },
    { code: source(widget), traits, server: kiln.url, gradient: GREEN },
  );
  return visitor;
}

const MAP = {
  center: [STOCKHOLM.lat, STOCKHOLM.lng],
  zoom: 6,
  min_zoom: 0,
  max_zoom: 24,
  height: '400px',
  opacity: 1,
  basemap: '',
  attribution: '',
  is_plane: false,
  version: 0,
  legend: null,
  unit: '',
};
/** Waits until all tiles are there, and have faded in. */
const isLoaded = (page) =>
  page.waitForFunction(() => {
    const tiles = [...document.querySelectorAll('.leaflet-tile')];
    return tiles.length >= 6 && tiles.every((tile) => tile.matches('.leaflet-tile-loaded') && getComputedStyle(tile).opacity === '1');
  });
const green = async (page) => middle(await chromium.look(page), isGreen);

test('a point is at its location, also after the map has moved', async () => {
  const { page, requested, done } = await show('heat', MAP);
  await isLoaded(page);
  near(await green(page), { x: 300, y: 200 });
  await page.mouse.move(300, 300);
  await page.mouse.down();
  await page.mouse.move(250, 270, { steps: 4 });
  // A map that is moving when it is released goes on.
  await page.waitForTimeout(200);
  await page.mouse.up();
  await page.waitForTimeout(600);
  await isLoaded(page);
  near(await green(page), { x: 250, y: 170 });
  // Without a basemap nothing is loaded but the tiles.
  assert.deepEqual(requested.filter((url) => ![kiln.url, host.url].includes(new URL(url).origin) && !url.startsWith('blob:')), []);
  await done();
});

test('a click shows the value, and a move is saved', async () => {
  const { page, done } = await show('heat', MAP);
  await isLoaded(page);
  await page.mouse.click(300, 200);
  await page.getByText('5 people per km²').waitFor();
  const { lat, lon } = await page.evaluate(() => window.sent.find(({ kind }) => kind === 'value'));
  assert(Math.abs(lat - STOCKHOLM.lat) < 0.02 && Math.abs(lon - STOCKHOLM.lng) < 0.02, `${lat} ${lon}`);
  await page.keyboard.press('Tab');
  await page.locator('.leaflet-control-zoom-in').click();
  await page.waitForFunction(() => window.model.get('zoom') === 7 && window.saved > 0);
  await done();
});

test('another style or opacity draws the tiles again, and errors are shown', async () => {
  const { page, done } = await show('heat', MAP);
  await isLoaded(page);
  await page.evaluate(() => window.model.set('opacity', 0));
  assert.equal((await green(page)).count, 0);
  await page.evaluate(() => {
    window.failing = 'radius: too large';
    window.model.set('version', 1);
  });
  await page.getByText('radius: too large').waitFor();
  await page.evaluate(() => {
    window.failing = '';
    window.model.set('opacity', 1);
    window.model.set('version', 2);
  });
  await isLoaded(page);
  near(await green(page), { x: 300, y: 200 });
  assert.equal(await page.getByText('radius: too large').count(), 0);
  await done();
});

test('a removed map listens to nothing', async () => {
  const { page, done } = await show('heat', MAP);
  await isLoaded(page);
  assert.equal(await page.evaluate(() => (window.close(), window.listening())), 0);
  await done();
});

test('a click on a mask sends its place, and the slider sets the opacity', async () => {
  const traits = { background: null, heat: null, legend: null, opacity: 70, size: [400, 200], clicked: '' };
  const { page, done } = await show('mask', traits);
  await page.locator('.kiln-stage').click({ position: { x: 100, y: 150 } });
  const [{ kind, x, y }] = await page.evaluate(() => window.sent);
  assert.equal(kind, 'click');
  assert(Math.abs(x - 0.25) < 0.01 && Math.abs(y - 0.75) < 0.01, `${x} ${y}`);
  await page.evaluate(() => window.model.set('clicked', 'x 1, y 2: 0.5'));
  await page.getByText('x 1, y 2: 0.5').waitFor();
  await page.getByRole('slider').fill('40');
  assert.equal(await page.evaluate(() => window.model.get('opacity')), 40);
  assert.equal(await page.locator('.kiln-heat').evaluate((heat) => heat.style.opacity), '0.4');
  await page.evaluate(() => window.model.set('size', [200, 200]));
  assert.equal((await page.locator('.kiln-stage').boundingBox()).width, 200);
  assert.equal(await page.evaluate(() => (window.close(), window.listening())), 0);
  await done();
});
