// The first view of a layer, values by keyboard, and the summary of the view.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { CROWD, FLOORS, serve, STOCKHOLM } from './kiln.js';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(CROWD + FLOORS), open()]);
  // The first request of a layer reads its file.
  for (const name of ['crowd', 'everywhere', 'one', 'fiji', 'days']) await fetch(`${kiln.url}/${name}/0/0/0.png`);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');
async function visit(state, options, prepare = async () => undefined) {
  const visitor = await chromium.page(options, [kiln.url]);
  await prepare(visitor.page);
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await shown(visitor.page);
  return visitor;
}

/** Zoom, latitude and longitude. */
const place = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1)).get('at').split('/').map(Number);
const announced = (page, pattern) => page.waitForFunction((source) => new RegExp(source).test(document.getElementById('announcement').textContent), pattern.source);
const near = ([, lat, lng], { lat: wantedLat, lng: wantedLng }, degrees) => Math.hypot(lat - wantedLat, lng - wantedLng) < degrees;

describe('the first view', () => {
  test('is where 80 % of the heat is, if all of the layer is much larger', async () => {
    for (const options of [PHONE, { viewport: { width: 1280, height: 800 } }]) {
      const { page, done } = await visit('layer=crowd', options);
      const first = await place(page);
      assert(first[0] >= 8 && first[0] <= 10, `${first}`);
      assert(near(first, STOCKHOLM, 1.2), `${first}`);
      // Most points are in the part of the map that the panel leaves.
      const { left, right, top, bottom } = await page.evaluate(() => {
        const [map, panel] = ['#map', '#panel'].map((name) => document.querySelector(name).getBoundingClientRect());
        return { left: map.left, top: map.top, bottom: map.bottom, right: panel.width < innerWidth ? panel.left : map.right };
      });
      const world = 256 * 2 ** first[0];
      const { width, height } = page.viewportSize();
      const y = (lat) => (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;
      const map = await page.locator('#map').boundingBox();
      let inside = 0;
      for (let i = 0; i < 400; i++) {
        const [lng, lat] = [STOCKHOLM.lng + 0.6 * Math.sin(7 * i), STOCKHOLM.lat + 0.3 * Math.cos(11 * i)];
        const at = [map.width / 2 + ((lng - first[2]) / 360) * world, map.height / 2 + (y(lat) - y(first[1])) * world];
        inside += at[0] >= left && at[0] <= right && at[1] >= top && at[1] <= bottom;
      }
      assert(inside >= 0.8 * 403, `${inside} of 403 at ${width} × ${height}`);
      await done();
    }
  });

  test('is the same each time', async () => {
    const places = [];
    for (let i = 0; i < 2; i++) {
      const { page, done } = await visit('layer=crowd', PHONE);
      places.push(String(await place(page)));
      await done();
    }
    assert.equal(places[0], places[1]);
  });

  test('is the whole layer on a wide screen if the heat is everywhere, or one point', async () => {
    const { page, done } = await visit('layer=everywhere', { viewport: { width: 1280, height: 800 } });
    const [zoom, lat] = await place(page);
    assert.equal(zoom, 2);
    assert(Math.abs(lat) < 3, `${lat}`);
    await done();
    const one = await visit('layer=one', PHONE);
    assert(near(await place(one.page), STOCKHOLM, 0.1), `${await place(one.page)}`);
    await one.done();
  });

  test('of a layer in the address bar is found too, unless the map has been moved', async () => {
    const { page, done } = await visit('layer=fiji&at=8/-16.85/178', { viewport: { width: 1280, height: 800 } });
    await page.evaluate(() => (location.hash = 'layer=crowd'));
    await page.waitForFunction(() => /layer=crowd&at=(8|9|10)\//.test(location.hash));
    assert(near(await place(page), STOCKHOLM, 1.2), `${await place(page)}`);
    // While the picture is on its way.
    await page.route('**/everywhere/bbox/**', (route) => setTimeout(() => void route.continue().catch(() => undefined), 500));
    await page.route('**/crowd/bbox/**', (route) => setTimeout(() => void route.continue().catch(() => undefined), 600));
    await page.evaluate(() => (location.hash = 'layer=everywhere'));
    await page.waitForFunction(() => location.hash.includes('layer=everywhere'));
    await page.evaluate(() => (location.hash = 'layer=crowd'));
    await page.waitForTimeout(200);
    await page.focus('#map');
    await page.keyboard.press('ArrowRight');
    await page.waitForTimeout(1500);
    assert((await place(page))[0] < 8, `${await place(page)}`);
    await done();
  });

  test('of a link is that of the link, without a request', async () => {
    const { page, requested, done } = await visit('layer=crowd&at=4/10/20', PHONE);
    assert.deepEqual(await place(page), [4, 10, 20]);
    assert.deepEqual(requested.filter((url) => url.includes('/bbox/')), []);
    await done();
  });

  test('does not wait for a slow server', async () => {
    const started = Date.now();
    const { page } = await visit('layer=crowd', {}, (page) => page.route('**/bbox/**', () => undefined));
    assert(Date.now() - started < 8000);
    assert.equal((await place(page))[0], 2);
    await page.context().close();
  });
});

describe('values by keyboard', () => {
  const AT = `layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`;

  test('arrow keys move a cross hair, Enter reads the value, and Escape ends', async () => {
    const { page, done } = await visit(AT);
    await page.focus('#map');
    await page.keyboard.press('v');
    assert.equal(await page.getAttribute('[aria-keyshortcuts="v"]', 'aria-pressed'), 'true');
    await announced(page, /Arrow keys move/);
    const mark = () => page.$eval('.cross-hair', (mark) => [mark.getBoundingClientRect().x, mark.getBoundingClientRect().y]);
    assert.deepEqual(await mark(), [500, 350]);
    await page.keyboard.press('Enter');
    await announced(page, /^[\d.,]+ people per .*km²\. At or above \d+ % .*1 point within/);
    assert.match(await page.innerText('.leaflet-popup'), /people per/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowUp');
    assert.deepEqual(await mark(), [508, 286]);
    await announced(page, /km north(east)? of \w+|^Stockholm/);
    await page.keyboard.press('Enter');
    await announced(page, /^0 people per/);
    assert((await place(page)).every((part, i) => Math.abs(part - [6, STOCKHOLM.lat, STOCKHOLM.lng][i]) < 0.01), 'the map has not moved');
    await page.keyboard.press('Escape');
    assert.equal(await page.$('.cross-hair'), null);
    assert.equal(await page.$('.leaflet-popup'), null);
    // The arrow keys move the map again.
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((lng) => Number(location.hash.split('at=')[1].split('/')[2].split('&')[0]) > lng + 0.3, STOCKHOLM.lng);
    await done();
  });

  test('at an edge the map moves, and the button and a change of focus end', async () => {
    const { page, done } = await visit(AT);
    const button = page.locator('[aria-keyshortcuts="v"]');
    await button.focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'map');
    for (let i = 0; i < 10; i++) await page.keyboard.press('Shift+ArrowLeft');
    // 640 pixels, of which the cross hair has moved 460.
    await page.waitForFunction((lng) => Number(location.hash.split('at=')[1].split('/')[2].split('&')[0]) < lng - 3, STOCKHOLM.lng);
    await page.focus('#fold');
    assert.equal(await page.$('.cross-hair'), null);
    await button.click();
    await page.waitForSelector('.cross-hair', { state: 'attached' });
    await button.click();
    assert.equal(await page.$('.cross-hair'), null);
    await done();
  });

  test('a failed request is announced', async () => {
    const { page } = await visit(AT);
    await page.route('**/point/**', (route) => route.abort());
    await page.focus('#map');
    await page.keyboard.press('v');
    await page.keyboard.press('Enter');
    await announced(page, /cannot be reached/);
    await page.context().close();
  });

  test('the cells of a floor have values too', async () => {
    const { page, done } = await visit('layer=office');
    await page.focus('#map');
    await page.keyboard.press('v');
    await page.keyboard.press('ArrowDown');
    await announced(page, /^x [\d.]+ m, y [\d.]+ m$/);
    await page.keyboard.press('Enter');
    await announced(page, /detection/);
    await done();
  });
});

describe('the summary', () => {
  const spots = (page) => page.$$eval('.spots li', (items) => items.map((item) => item.textContent));

  test('lists the hottest places of the view with their values, and follows it', async () => {
    const { page, requested, done } = await visit(`layer=one&at=5/${STOCKHOLM.lat}/${STOCKHOLM.lng}`);
    await page.waitForTimeout(1500);
    assert.deepEqual(requested.filter((url) => url.includes('/bbox/')), [], 'nothing is requested while it is folded');
    await page.click('#summary summary');
    await page.waitForSelector('.spots li');
    const [first, ...others] = await spots(page);
    assert.match(first, /^Stockholm: [\d.,]+ people per/);
    assert.deepEqual(others, []);
    assert.match(await page.textContent('#summary-body'), /Heat covers (less than 1|\d+) % of the view\.$/);
    assert.equal(await page.getAttribute('#summary-body', 'role'), 'status');
    // Its value is that of a click there.
    await page.click('.spots button');
    await page.waitForSelector('.leaflet-popup');
    assert(first.endsWith((await page.innerText('.leaflet-popup strong')).trim()), first);
    await page.evaluate(() => (location.hash = 'layer=one&at=5/0/0'));
    await page.waitForFunction(() => document.getElementById('summary-body').textContent === 'This view has no heat.');
    await done();
  });

  test('is in the order of values, and has spots at their locations', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0', { viewport: { width: 1280, height: 800 } });
    await page.click('#summary summary');
    await page.waitForSelector('.spots li');
    const values = (await spots(page)).map((text) => Number(/: ([\d.,]+)/.exec(text)[1].replaceAll(',', '')));
    assert.equal(values.length, 5);
    assert.deepEqual(values, [...values].sort((a, b) => b - a));
    // The hottest day, of weight 7, is at 20° N, 60° E: between Oman and Karachi.
    assert.match((await spots(page))[0], /^\d+ km \w+ of [\w ]+: /);
    await done();
  });

  test('a failure is reported in its place', async () => {
    const { page } = await visit('layer=one&at=5/59/18');
    await page.route('**/bbox/**', (route) => route.abort());
    await page.click('#summary summary');
    await page.waitForSelector('#summary-body .error');
    assert.match(await page.textContent('#summary-body'), /cannot be reached/);
    await page.context().close();
  });
});
