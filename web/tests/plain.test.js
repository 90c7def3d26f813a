// The plain page, which a binary built without npm has.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { isHot, middle, open } from './browser.js';
import { serve, STOCKHOLM } from './kiln.js';

const file = (name) => readFileSync(new URL(`../plain/${name}`, import.meta.url));
const FILES = {
  '': ['index.html', 'text/html'],
  'assets/page.js': ['page.js', 'text/javascript'],
  'assets/page.css': ['page.css', 'text/css'],
  'assets/leaflet.js': ['vendor/leaflet.js', 'text/javascript'],
  'assets/leaflet.css': ['vendor/leaflet.css', 'text/css'],
  'assets/land.json': ['vendor/land.json', 'application/json'],
};

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

/** Opens the plain page, whatever page the binary has. */
async function visit(state, options) {
  const visitor = await chromium.page(options, [kiln.url]);
  for (const [path, [name, contentType]] of Object.entries(FILES)) {
    await visitor.page.route(`${kiln.url}/${path}`, (route) => route.fulfill({ contentType, body: file(name) }));
  }
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await visitor.page.waitForSelector('#map[aria-busy="false"] img.heat');
  return visitor;
}

describe('one picture of the view', () => {
  test('is repeated where the view is wider than the world, without a gap or a second request', async () => {
    const { page, requested, done } = await visit('layer=one&mode=overlay&at=1/0/60', { viewport: { width: 1300, height: 500 } });
    assert.equal(await page.inputValue('#mode'), 'overlay');
    await page.evaluate(() => (document.getElementById('panel').style.visibility = 'hidden'));
    await page.waitForTimeout(500);
    const seen = await chromium.look(page);
    const x = 650 + ((STOCKHOLM.lng - 60) / 360) * 512;
    const copies = [x - 512, x, x + 512].map((at) => middle({ width: 40, height: 400, at: (column, row) => seen.at(Math.round(at) - 20 + column, row) }, isHot));
    for (const { x: found, count } of copies) assert(count > 20 && Math.abs(found - 20) < 1.5, JSON.stringify(copies));
    const edges = await page.$$eval('img.heat', (images) => images.map((image) => image.getBoundingClientRect()).map(({ left, right }) => [left, right]).sort((a, b) => a[0] - b[0]));
    assert(edges[0][0] <= 0 && edges.at(-1)[1] >= 1300, JSON.stringify(edges));
    for (const [i, [left]] of edges.slice(1).entries()) assert(Math.abs(left - edges[i][1]) < 0.51, JSON.stringify(edges));
    assert.equal(requested.filter((url) => url.endsWith('/overlays')).length, 1);
    await page.evaluate(() => (document.getElementById('panel').style.visibility = ''));
    await page.selectOption('#mode', 'tiles');
    await page.waitForSelector('.leaflet-tile-loaded.heat, .heat .leaflet-tile-loaded');
    assert.equal(await page.locator('.leaflet-image-layer').count(), 0, 'all copies are removed');
    await done();
  });

  test('is a single one elsewhere', async () => {
    const { page, done } = await visit(`layer=one&mode=overlay&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`);
    assert.equal(await page.locator('.leaflet-image-layer').count(), 1);
    await done();
  });
});
