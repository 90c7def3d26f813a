// kiln-maplibre and kiln-openlayers on maps of other pages.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { GREEN, isGreen, middle, near, open } from './browser.js';
import { serve, site, STOCKHOLM } from './kiln.js';

const SIZE = { width: 600, height: 400 };
const { lat, lng } = STOCKHOLM;
const HEAD = (name, imports) => `<!doctype html><link rel="stylesheet" href="/node_modules/maplibre-gl/dist/maplibre-gl.css"><link rel="stylesheet" href="/node_modules/ol/ol.css">
  <link rel="stylesheet" href="/${name}/dist/${name}.css"><style>html, body, #map { height: 100%; margin: 0; background: #fff }</style><div id="map"></div>
  <script type="importmap">${JSON.stringify({ imports })}</script>`;
/** The page of each library: `map`, and functions with one name in both. */
const PAGES = {
  'kiln-maplibre': `${HEAD('kiln-maplibre', { 'maplibre-gl': '/node_modules/maplibre-gl/dist/maplibre-gl.mjs' })}<script type="module">
    import { Map } from 'maplibre-gl';
    import * as kiln from '/kiln-maplibre/dist/kiln-maplibre.js';
    const map = new Map({ container: 'map', center: [${lng}, ${lat}], zoom: 5, attributionControl: false, fadeDuration: 0, style: { version: 8, sources: {}, layers: [] } });
    Object.assign(window, { map, kiln, add: (heat) => heat.addTo(map), remove: (heat) => heat.remove(), zoomTo: (zoom) => map.jumpTo({ zoom: zoom - 1 }) });
  </script>`,
  'kiln-openlayers': `${HEAD('kiln-openlayers', { 'ol/': '/node_modules/ol/', rbush: '/node_modules/rbush/index.js', quickselect: '/node_modules/quickselect/index.js' })}<script type="module">
    import OlMap from 'ol/Map.js';
    import View from 'ol/View.js';
    import { fromLonLat } from 'ol/proj.js';
    import * as kiln from '/kiln-openlayers/dist/kiln-openlayers.js';
    const map = new OlMap({ target: 'map', controls: [], view: new View({ center: fromLonLat([${lng}, ${lat}]), zoom: 6 }) });
    Object.assign(window, { map, kiln, add: (heat) => map.addLayer(heat.layer), remove: (heat) => map.removeLayer(heat.layer), zoomTo: (zoom) => map.getView().setZoom(zoom) });
  </script>`,
};

let server, host;
const browsers = {};
before(async () => {
  [server, browsers['kiln-openlayers'], browsers['kiln-maplibre'], host] = await Promise.all([serve(), open(), open({ webgl: true }), site(Object.fromEntries(Object.entries(PAGES).map(([name, text]) => [`/${name}`, text])))]);
});
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  server?.stop();
  host?.stop();
});

async function visit(name) {
  const visitor = await browsers[name].page({ viewport: SIZE }, [server.url, host.url]);
  await visitor.page.goto(`${host.url}/${name}`);
  await visitor.page.waitForFunction(() => window.map);
  await visitor.page.evaluate(([url, gradient]) => {
    window.heat = new kiln.HeatLayer(url, 'one', { gradient, radius: 20 });
    add(heat);
  }, [server.url, GREEN]);
  return visitor;
}

/** Waits for green pixels, or for none. */
async function greenOf(name, page, isExpected = ({ count }) => count > 100) {
  let seen = { count: -1 };
  for (const end = Date.now() + 20_000; !isExpected(seen) && Date.now() < end; await page.waitForTimeout(150)) seen = middle(await browsers[name].look(page), isGreen);
  assert(isExpected(seen), `${seen.count} pixels`);
  return seen;
}

for (const name of Object.keys(PAGES)) {
  describe(name, () => {
    test('heat is at its location, changes its style and its layer, and is removed', async () => {
      const { page, requested, done } = await visit(name);
      const first = await greenOf(name, page);
      near(first, { x: 300, y: 200 });
      await page.evaluate((gradient) => heat.setStyle({ gradient, radius: 45 }), GREEN);
      await greenOf(name, page, ({ count }) => count > 2 * first.count);
      await page.evaluate(() => heat.setStyle({ gradient: heat.heatStyle().gradient }, 'fiji'));
      await greenOf(name, page, ({ count }) => count === 0);
      assert.equal(await page.evaluate(() => heat.layerName()), 'fiji');
      await page.evaluate(() => heat.setStyle(heat.heatStyle(), 'one'));
      await greenOf(name, page);
      await page.evaluate(() => remove(heat));
      await greenOf(name, page, ({ count }) => count === 0);
      assert(requested.some((url) => /\/one\/6\/.*[?&]v=/.test(url)), requested.join('\n'));
      await done();
    });

    test('the legend follows the style and the zoom, and a click shows the value', async () => {
      const { page, whenRequested, done } = await visit(name);
      await greenOf(name, page);
      await page.evaluate(() => {
        map.addControl(new kiln.Legend(heat, { title: 'People' }));
        window.popup = new kiln.ValuePopup(map, heat);
      });
      await page.waitForSelector('.kiln-legend-tick');
      assert.equal(await page.textContent('.kiln-legend-title'), 'People');
      await page.evaluate(() => heat.setStyle({ ...heat.heatStyle(), agg: 'max' }));
      await page.waitForFunction(() => document.querySelector('.kiln-legend-unit').textContent === 'max of people');
      await page.evaluate(() => zoomTo(7));
      await whenRequested((url) => /legend\.json.*zoom=7/.test(url));
      await page.mouse.click(300, 200);
      assert.match(await page.locator('.kiln-value').innerText(), /^5 max of people/);
      await done();
    });

    test('a layer that is missing is an error event', async () => {
      const { page, complaints } = await visit(name);
      const message = await page.evaluate(() => new Promise((done) => {
        heat.on('error', ({ message }) => done(message));
        heat.setStyle({}, 'nowhere');
      }));
      assert.match(message, /nowhere/);
      assert(complaints.every((text) => text.includes('404')), complaints.join());
      await page.context().close();
    });
  });
}
