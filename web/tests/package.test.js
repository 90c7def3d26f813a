// kiln-leaflet on the Leaflet map of another page.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { GREEN, isGreen, middle, near, open } from './browser.js';
import { placeOf, serve, site, STOCKHOLM } from './kiln.js';

let kiln, chromium, host;
const pages = {};
before(async () => {
  [kiln, chromium, host] = await Promise.all([serve(), open(), site(pages)]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  host?.stop();
});

const HEAD = `<!doctype html><link rel="stylesheet" href="/node_modules/leaflet/dist/leaflet.css">
  <link rel="stylesheet" href="/kiln-leaflet/dist/kiln-leaflet.css">
  <script src="/node_modules/leaflet/dist/leaflet.js"></script><script src="/kiln-leaflet/dist/kiln-leaflet.iife.js"></script>
  <style>html, body, #map { height: 100%; margin: 0; background: #fff }</style><div id="map"></div>`;

async function visit(script, options = {}) {
  pages['/map'] = `${HEAD}<script>
    const map = L.map('map', { zoomControl: false, attributionControl: false, fadeAnimation: false }).setView([${STOCKHOLM.lat}, ${STOCKHOLM.lng}], 6);
    const style = { gradient: '${GREEN}', radius: 20 };
    ${script}</script>`;
  const visitor = await chromium.page({ viewport: { width: 600, height: 400 }, ...options }, [kiln.url, host.url]);
  await visitor.page.goto(`${host.url}/map`);
  return visitor;
}
const make = (kind, layer = 'one') => `
  const heat = L.kiln.${kind}('${kiln.url}/', '${layer}', style);
  heat.on('load', () => { window.loads = (window.loads ?? 0) + 1; });
  heat.on('error', ({ error }) => { window.failed = error.message; });
  heat.addTo(map);`;
const green = async (page) => middle(await chromium.look(page), isGreen);
const loads = (page, count) => page.waitForFunction((count) => (window.loads ?? 0) >= count, count);

describe('layers', () => {
  for (const kind of ['tileLayer', 'overlay']) {
    test(`${kind}: a town is at its location, also after the map has moved`, async () => {
      const { page, done } = await visit(make(kind));
      await loads(page, 1);
      near(await green(page), { x: 300, y: 200 });
      await page.evaluate(() => map.panBy([-120, 60], { animate: false }));
      await page.waitForTimeout(500);
      near(await green(page), { x: 420, y: 140 });
      await page.evaluate(() => heat.remove());
      assert.equal((await green(page)).count, 0);
      await done();
    });

    test(`${kind}: true_scale is not sent, with one warning`, async () => {
      const { page, requested, done } = await visit('window.ready = 1;');
      const warnings = [];
      page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
      await page.evaluate(`style.true_scale = 50; ${make(kind).replace('const heat', 'heat')}`);
      await loads(page, 1);
      await page.evaluate(() => heat.setStyle({ ...style, radius: 30 }));
      await loads(page, 2);
      assert.equal(warnings.filter((text) => text.includes('true_scale')).length, 1, warnings.join());
      assert(requested.some((url) => url.includes('radius=30')) && !requested.some((url) => /true_scale=50/.test(url)), requested.join());
      await done();
    });

    test(`${kind}: a new style replaces the old one without a blank frame`, async () => {
      const { page, done } = await visit(make(kind));
      await loads(page, 1);
      // Checks every painted frame.
      const gaps = await page.evaluate(async () => {
        let [gaps, frames] = [0, 0];
        const done = new Promise((done) => heat.once('load', done));
        let on = true;
        const look = () => {
          const images = [...document.querySelectorAll('.leaflet-tile-container img, .leaflet-image-layer')];
          const seen = images.filter((image) => image.complete && image.naturalWidth && getComputedStyle(image).visibility !== 'hidden');
          frames++;
          if (!seen.length) gaps++;
          if (on) requestAnimationFrame(look);
        };
        look();
        heat.setStyle({ ...style, radius: 40 });
        await done;
        await new Promise((then) => setTimeout(then, 100));
        on = false;
        return { gaps, frames };
      });
      assert(gaps.frames > 2 && gaps.gaps === 0, JSON.stringify(gaps));
      assert((await green(page)).count > 3000);
      await done();
    });

    test(`${kind}: an error is reported in words`, async () => {
      const { page, complaints } = await visit(make(kind, 'nowhere'));
      await page.waitForFunction(() => window.failed);
      assert.match(await page.evaluate(() => window.failed), /nowhere/);
      assert(complaints.every((text) => text.includes('404')), complaints.join());
      await page.context().close();
    });
  }

  test('an overlay cancels an outdated request and shows the last view', async () => {
    const { page, done } = await visit(make('overlay'));
    await loads(page, 1);
    const dropped = [];
    page.on('requestfailed', (request) => dropped.push(request.url()));
    // The first responses are slow.
    let slow = 2;
    await page.route('**/bbox/**', async (route) => {
      if (slow-- > 0) await new Promise((done) => setTimeout(done, 1500));
      await route.continue().catch(() => undefined);
    });
    for (let i = 0; i < 3; i++) {
      await page.evaluate(() => map.panBy([-40, 0], { animate: false }));
      await page.waitForTimeout(250);
    }
    await loads(page, 2);
    await page.waitForTimeout(1800);
    assert.equal(dropped.length, 2, dropped.join('\n'));
    assert.equal(await page.evaluate(() => window.loads), 2);
    near(await green(page), { x: 420, y: 200 });
    assert.equal(await page.locator('.leaflet-image-layer').count(), 1);
    await done();
  });

  test('an overlay is repeated where the view is wider than the world, without a gap or a second request', async () => {
    const { page, requested, done } = await visit(`map.setView([20, 60], 1); ${make('overlay')}`, { viewport: { width: 1300, height: 400 } });
    await loads(page, 1);
    const seen = await chromium.look(page);
    // Stockholm in each copy of the world, 512 pixels wide.
    const x = 650 + ((STOCKHOLM.lng - 60) / 360) * 512;
    const rowOf = (x) => middle({ width: 40, height: 400, at: (column, row) => seen.at(Math.round(x) - 20 + column, row) }, isGreen);
    const copies = [x - 512, x, x + 512].map(rowOf);
    for (const { x: found, count } of copies) assert(count > 20 && Math.abs(found - 20) < 1.5, JSON.stringify(copies));
    const edges = await page.$$eval('.leaflet-image-layer', (images) => images.map((image) => image.getBoundingClientRect()).map(({ left, right }) => [left, right]).sort((a, b) => a[0] - b[0]));
    assert(edges[0][0] <= 0 && edges.at(-1)[1] >= 1300, JSON.stringify(edges));
    for (const [i, [left]] of edges.slice(1).entries()) assert(Math.abs(left - edges[i][1]) < 0.51, JSON.stringify(edges));
    assert.equal(requested.filter((url) => url.includes('/bbox/')).length, 1);
    await page.evaluate(() => heat.remove());
    assert.equal(await page.locator('.leaflet-image-layer').count(), 0);
    await done();
  });

  test('an overlay is aligned with a map in plate carrée', async () => {
    pages['/flat'] = `${HEAD}<script>
      const map = L.map('map', { crs: L.CRS.EPSG4326, zoomControl: false, attributionControl: false }).setView([${STOCKHOLM.lat - 1}, ${STOCKHOLM.lng + 2}], 5);
      L.kiln.overlay('${kiln.url}', 'one', { gradient: '${GREEN}', radius: 20 }).on('load', () => { window.loads = 1; }).addTo(map);</script>`;
    const { page, done } = await chromium.page({ viewport: { width: 600, height: 400 } }, [kiln.url, host.url]);
    await page.goto(`${host.url}/flat`);
    await loads(page, 1);
    const degree = (256 * 2 ** 5) / 180;
    near(await green(page), { x: 300 - 2 * degree, y: 200 - degree });
    await done();
  });
});

describe('legends and values', () => {
  test('the legend has the unit of the style', async () => {
    const { page, done } = await visit(`${make('tileLayer', 'days')}
      L.kiln.legend(heat).addTo(map);`);
    for (const [units, text] of [['per_px', 'weight per pixel'], ['per_m2', 'weight per million m²'], ['per_km2', 'weight per 1,000 km²']]) {
      await page.evaluate((units) => heat.setStyle({ ...style, units }), units);
      await page.waitForFunction((text) => document.querySelector('.kiln-legend-unit')?.textContent === text, text);
    }
    await done();
  });

  test('a legend follows the layer, and a click shows the value', async () => {
    const { page, done } = await visit(`map.setView([${placeOf(1).lat}, ${placeOf(1).lng}], 5);
      ${make('tileLayer', 'days')}
      const legend = L.kiln.legend(heat, { title: 'Mine' }).addTo(map);
      L.kiln.value(map, heat, { categories: 2 }).onValue((event) => { window.valueEvent = event; });`);
    await page.waitForSelector('.kiln-legend-tick');
    assert.equal(await page.textContent('.kiln-legend-title'), 'Mine');
    assert.match(await page.textContent('.kiln-legend-unit'), /^weight per 1,000 km²$/);
    await page.evaluate(() => heat.setStyle({ ...style, agg: 'max' }));
    await page.waitForFunction(() => document.querySelector('.kiln-legend-unit')?.textContent === 'max of weight');
    await page.mouse.click(300, 200);
    const text = await (await page.waitForSelector('.leaflet-popup .kiln-value')).innerText();
    assert.match(text, /^2 max of weight/);
    assert.match(text, /tram\s+3$/);
    assert.equal(await page.evaluate(() => window.valueEvent.value.value), 2);
    await done();
  });
});

describe('the package', () => {
  test('the example works', async () => {
    const { page, done } = await chromium.page({}, [kiln.url, host.url]);
    await page.goto(`${host.url}/kiln-leaflet/example/index.html?server=${kiln.url}&layer=days`);
    await page.waitForSelector('.leaflet-tile-loaded');
    await page.waitForSelector('.kiln-legend-tick');
    await page.check('input[value="picture"]');
    await page.waitForSelector('.leaflet-image-layer');
    assert.equal(await page.locator('.leaflet-tile-loaded').count(), 0);
    await done();
  });

  test('the package contains all files of its description', () => {
    const folder = fileURLToPath(new URL('../kiln-leaflet', import.meta.url));
    const [packed] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] }));
    const files = packed.files.map(({ path }) => path);
    for (const file of ['README.md', 'package.json', 'dist/kiln-leaflet.js', 'dist/kiln-leaflet.iife.js', 'dist/types/kiln-leaflet/src/index.d.ts', 'dist/types/kiln-client/src/client.d.ts', 'LICENSE', 'dist/kiln-leaflet.css', 'example/index.html']) {
      assert(files.includes(file), `${file} of ${files}`);
    }
  });
});
