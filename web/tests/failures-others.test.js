// The floor and matrix pages when requests fail.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { FLOORS, serve, WEEKS } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(FLOORS + WEEKS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const text = (page, id) => page.textContent(`#${id}`);
const banner = (page, state = 'visible') => page.waitForSelector('#banner', { state, timeout: 15_000 });

/** Opens a page, whose requests may fail. */
async function visit(path, prepare = async () => undefined, server = kiln) {
  const { page } = await chromium.page({}, [server.url]);
  await prepare(page);
  await page.goto(`${server.url}/${path}`);
  return page;
}

describe('a floor', () => {
  const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');

  test('whose server is gone has a banner, and comes back by itself', async () => {
    const page = await visit('#layer=office&space=floor-1');
    await shown(page);
    const before = await text(page, 'status');
    assert.match(before, /detections in/);
    await page.route('**/office/grid?**', (route) => route.abort());
    await page.selectOption('#cell', '1');
    await banner(page);
    assert.equal(await text(page, 'banner-title'), 'The floor failed to load');
    assert.equal(await text(page, 'banner-reason'), 'The server cannot be reached.');
    assert.equal(await page.locator('img.cells, canvas.cells').count(), 0, 'an old picture would be mistaken for the new one');
    await page.unroute('**/office/grid?**');
    await banner(page, 'hidden');
    await page.waitForFunction(() => /detections in \d+ cells of 1 m/.test(document.getElementById('status').textContent));
    await page.context().close();
  });

  test('that cannot be loaded at first is loaded later', async () => {
    const page = await visit('#layer=office', (page) => page.route(/office\/(statistics|rooms)/, (route) => route.abort()));
    await banner(page);
    assert.equal(await text(page, 'banner-title'), 'The floor failed to load');
    assert.match(await text(page, 'status'), /^Incomplete: /);
    await page.unroute(/office\/(statistics|rooms)/);
    await page.click('#retry');
    await banner(page, 'hidden');
    await page.waitForFunction(() => /detections in/.test(document.getElementById('status').textContent));
    assert.equal(await page.locator('path.room').count(), 3);
    await page.context().close();
  });

  test('whose tiles fail counts them', async () => {
    const page = await visit('#layer=office&space=floor-1&view=heat');
    await shown(page);
    await page.route(/\/office\/-?\d+\//, (route) => route.abort());
    await page.selectOption('#scheme', 'viridis');
    await banner(page);
    await page.waitForFunction(() => /^\d+ tiles? failed to load$/.test(document.getElementById('banner-title').textContent));
    await page.unroute(/\/office\/-?\d+\//);
    await banner(page, 'hidden');
    await page.context().close();
  });

  test('with an invalid request has its reason, and is not requested again', async () => {
    let requests = 0;
    const problem = { status: 400, contentType: 'application/problem+json', body: JSON.stringify({ title: 'Bad Request', detail: 'the grid has too many cells' }) };
    const page = await visit('#layer=office&space=floor-1', (page) =>
      page.route('**/office/grid?**', (route) => {
        requests++;
        return route.fulfill(problem);
      }),
    );
    await page.waitForSelector('#status.error');
    assert.equal(await text(page, 'status'), 'the grid has too many cells');
    const before = requests;
    await page.waitForTimeout(2500);
    assert.equal(requests, before);
    assert.equal(await page.isVisible('#banner'), false);
    await page.context().close();
  });
});

describe('a matrix', () => {
  const ready = (page) => page.waitForSelector('#chart-frame[aria-busy="false"]:not([hidden])');

  test('whose server does not respond has a banner, and comes back by itself', async () => {
    const page = await visit('matrix/weeks#zone=UTC');
    await ready(page);
    await page.route(/\/matrix\?/, (route) => route.abort());
    await page.selectOption('#y', 'month');
    await banner(page);
    assert.equal(await text(page, 'banner-title'), 'The matrix failed to load');
    await page.unroute(/\/matrix\?/);
    await banner(page, 'hidden');
    await ready(page);
    assert.equal(await page.isVisible('#message'), false);
    await page.context().close();
  });

  test('that cannot be loaded at first is loaded later', async () => {
    const page = await visit('matrix/weeks#zone=UTC', (page) => page.route('**/catalog', (route) => route.abort()));
    await banner(page);
    assert.equal(await text(page, 'banner-title'), 'The layer failed to load');
    await page.unroute('**/catalog');
    await banner(page, 'hidden');
    await ready(page);
    assert.equal(await text(page, 'title'), 'Four weeks');
    await page.context().close();
  });

  test('counts the tiles of its map that fail, and loads them later', async () => {
    const page = await visit('matrix/weeks#zone=UTC&at=6/41/-74');
    await ready(page);
    await page.waitForSelector('#map[aria-busy="false"]');
    await page.route(/\/weeks\/\d+\//, (route) => route.abort());
    await page.selectOption('#scheme', 'fire');
    await banner(page);
    assert.match(await text(page, 'banner-title'), /^\d+ tiles? failed to load$/);
    await page.unroute(/\/weeks\/\d+\//);
    await banner(page, 'hidden');
    await page.waitForSelector('.leaflet-heat-pane .leaflet-tile-loaded');
    await page.context().close();
  });
});
