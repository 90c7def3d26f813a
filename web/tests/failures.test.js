// The map page when requests fail, and on a server without layers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { isHot, middle, open } from './browser.js';
import { serve, STOCKHOLM } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');
const text = (page, id) => page.textContent(`#${id}`);
const AT_STOCKHOLM = `at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`;
const banner = (page, state = 'visible') => page.waitForSelector('#banner', { state, timeout: 15_000 });

/** Opens the page, whose requests may fail. */
async function visit(state, server = kiln) {
  const { page } = await chromium.page({}, [server.url]);
  await page.goto(`${server.url}/#${state}`);
  return page;
}

/** Moves the map by more than the tiles around the view. */
const jump = (page, lng = 130) => page.evaluate((at) => (location.hash = location.hash.replace(/at=[^&]*/, at)), `at=6/59/${lng}`);

describe('failed tiles', () => {
  test('are counted in a banner with the reason, and the status line does not report success', async () => {
    const own = await serve();
    const page = await visit(`layer=one&${AT_STOCKHOLM}`, own);
    await shown(page);
    assert.match(await text(page, 'status'), /^1 point, rendered as tiles$/);
    assert.equal(await page.isVisible('#banner'), false);
    own.stop();
    await jump(page);
    await banner(page);
    await page.waitForFunction(() => /reached/.test(document.getElementById('banner').textContent));
    const [, count] = /^(\d+) tiles? failed to load$/.exec(await text(page, 'banner-title')) ?? [];
    assert(Number(count) > 3, await text(page, 'banner-title'));
    // The view has as many tiles without a picture.
    const missing = await page.$$eval('.leaflet-heat-pane img', (images) => images.filter((image) => image.complete && !image.naturalWidth).length);
    assert.equal(Number(count), missing);
    await page.waitForTimeout(1000);
    assert.match(await text(page, 'status'), /^Incomplete: The server cannot be reached\.$/);
    await page.context().close();
  });

  test('load by themselves when the server is back', async () => {
    const page = await visit('layer=one&at=6/59/80');
    await shown(page);
    await page.route('**/one/**', (route) => route.abort());
    await jump(page, STOCKHOLM.lng);
    await banner(page);
    await page.evaluate(() => {
      for (const element of document.querySelectorAll('#panel, .leaflet-control-container')) element.style.visibility = 'hidden';
    });
    assert.equal(middle(await chromium.look(page), isHot).count, 0);
    await page.unroute('**/one/**');
    await banner(page, 'hidden');
    await page.waitForFunction(() => document.getElementById('status').textContent === '1 point, rendered as tiles');
    assert(middle(await chromium.look(page), isHot).count > 20);
    assert((await page.locator('.kiln-legend-tick').count()) > 0);
    await page.context().close();
  });

  test('load at once when the browser is online again, and by the button', async () => {
    const page = await visit('layer=one&at=6/59/80');
    await shown(page);
    await page.context().setOffline(true);
    await jump(page);
    await banner(page);
    await page.context().setOffline(false);
    await page.waitForSelector('#banner', { state: 'hidden', timeout: 1500 });
    await page.route(/\/one[/?]/, (route) => route.abort());
    await page.selectOption('#scheme', 'fire');
    await banner(page);
    assert.equal(await text(page, 'banner-title'), 'The heat map failed to load');
    // After a while the page waits longer than this test.
    await page.waitForTimeout(6000);
    await page.unroute(/\/one[/?]/);
    await page.click('#retry');
    await page.waitForSelector('#banner', { state: 'hidden', timeout: 1500 });
    await page.waitForFunction(() => [...document.querySelectorAll('.leaflet-heat-pane img')].some(({ src }) => src.includes('scheme=fire')));
    await page.context().close();
  });

  test('a tile that the server cannot render has the reason of the server', async () => {
    const page = await visit('layer=one&at=6/59/80');
    await shown(page);
    const problem = { status: 503, contentType: 'application/problem+json', body: JSON.stringify({ title: 'Service Unavailable', detail: 'the render queue is full' }) };
    let requests = 0;
    await page.route('**/one/6/**', (route) => {
      requests++;
      return route.fulfill(problem);
    });
    await jump(page);
    await page.waitForFunction(() => document.getElementById('banner-reason').textContent === 'The render queue is full.');
    const before = requests;
    await page.waitForTimeout(3000);
    assert(requests - before <= 2, `${requests - before} requests while all tiles fail`);
    await page.context().close();
  });

  test('one picture of the view fails in the same way', async () => {
    const page = await visit(`layer=one&${AT_STOCKHOLM}&mode=picture`);
    await shown(page);
    await page.route('**/bbox/**', (route) => route.abort());
    await jump(page);
    await banner(page);
    assert.match(await text(page, 'banner-reason'), /cannot be reached/);
    await page.unroute('**/bbox/**');
    await banner(page, 'hidden');
    await page.waitForFunction(() => document.getElementById('status').textContent === '1 point, rendered as one picture');
    await page.context().close();
  });
});

describe('missing layers', () => {
  const write = (server, path, method, body) => fetch(`${server.url}/${path}`, { method, body, headers: body ? { 'content-type': 'text/csv' } : {} });

  test('a layer that is deleted while it is shown is named', async () => {
    const own = await serve();
    assert((await write(own, 'gone', 'PUT')).ok);
    assert((await write(own, 'gone/points', 'POST', 'lon,lat\n18.07,59.33\n')).ok);
    const page = await visit(`layer=gone&${AT_STOCKHOLM}`, own);
    await shown(page);
    assert((await write(own, 'gone', 'DELETE')).ok);
    await jump(page);
    await banner(page);
    await page.waitForFunction(() => document.getElementById('banner-reason').textContent.startsWith('There is no layer `gone`'));
    assert.match(await text(page, 'status'), /^Incomplete: /);
    // Another layer is shown without an error.
    await page.selectOption('#layer', 'one');
    await banner(page, 'hidden');
    await page.context().close();
    own.stop();
  });

  test('a link to a layer that is not there is answered with another layer, and a notice', async () => {
    const page = await visit('layer=nowhere');
    await shown(page);
    assert.equal(await text(page, 'notice'), 'There is no layer `nowhere`; showing Seven days.');
    assert.equal(await page.isVisible('#notice'), true);
    await page.selectOption('#scheme', 'fire');
    assert.equal(await page.isVisible('#notice'), false);
    await page.evaluate(() => (location.hash = 'layer=elsewhere'));
    await page.waitForFunction(() => document.getElementById('notice').textContent.startsWith('There is no layer `elsewhere`'));
    await page.context().close();
  });

  test('a server without layers shows how to add one, and then its map', async () => {
    const own = await serve('', { layers: false });
    // Without any layer the server has bundled ones.
    assert((await write(own, 'first', 'PUT')).ok);
    const restarted = await own.restart();
    assert((await write(restarted, 'first', 'DELETE')).ok);
    assert.deepEqual((await restarted.json('catalog')).layers, []);
    const page = await visit('', restarted);
    await page.waitForSelector('#empty:not([hidden])');
    assert.match(await page.innerText('#empty'), /No layers yet/);
    assert.match(await text(page, 'empty-import'), /^kiln import points\.csv --layer points$/);
    const [put, post] = (await text(page, 'empty-request')).split('\n');
    assert.equal(put, `curl -X PUT '${restarted.url}/points'`);
    assert.equal(post, `curl '${restarted.url}/points/points' -F file=@points.csv`);
    assert.equal(await page.isVisible('#panel'), false);
    assert((await write(restarted, 'points', 'PUT')).ok);
    assert((await write(restarted, 'points/points', 'POST', 'lon,lat\n18.07,59.33\n')).ok);
    await page.waitForFunction(() => document.getElementById('layer').value === 'points', null, { timeout: 15_000 });
    assert.equal(await page.isVisible('#empty'), false);
    await page.context().close();
    restarted.stop();
  });

  test('the page loads again when the layers could not be listed', async () => {
    const { page } = await chromium.page({}, [kiln.url]);
    await page.route('**/catalog', (route) => route.abort());
    await page.goto(`${kiln.url}/#layer=one&${AT_STOCKHOLM}`);
    await banner(page);
    assert.equal(await text(page, 'banner-title'), 'The layers failed to load');
    await page.unroute('**/catalog');
    await page.waitForFunction(() => document.getElementById('status').textContent.startsWith('1 point,'), null, { timeout: 15_000 });
    assert.equal(await page.isVisible('#banner'), false);
    await page.context().close();
  });
});
