// Small and empty layers, a change of the layer, and layers that change while the page shows them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { CROWD, serve, STOCKHOLM } from './kiln.js';

const CITIES = [[18.07, 59.33], [2.35, 48.85], [-0.12, 51.5]];
const FILES = {
  'few.csv': ['lon,lat', ...CITIES.map(String)].join('\n'),
  // 25 points at each corner of a rectangle: all are on the edge of the bounds.
  'corners.csv': ['lon,lat', ...Array.from({ length: 100 }, (_, i) => `${i % 2 ? 20 : 0},${i % 4 < 2 ? 45 : 55}`)].join('\n'),
  'late.csv': 'lon,lat,time\n18,59,2999-01-01T00:00:00Z\n18.1,59.1,9999-12-31T00:00:00Z\n',
};
const LAYERS = `${CROWD}
[layers.few]
input = "few.csv"

[layers.corners]
input = "corners.csv"

[layers.late]
input = "late.csv"
time = "time"
`;

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(LAYERS, { files: FILES }), open()]);
  for (const name of ['few', 'corners', 'late', 'crowd', 'days', 'one']) await fetch(`${kiln.url}/${name}/0/0/0.png`);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');
async function visit(state, options) {
  const visitor = await chromium.page({ viewport: { width: 1280, height: 800 }, ...options }, [kiln.url]);
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await shown(visitor.page);
  return visitor;
}
const hash = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
const place = async (page) => (await hash(page)).get('at').split('/').map(Number);
const text = (page, id) => page.textContent(`#${id}`);
const says = (page, id, pattern) =>
  page.waitForFunction(([id, source]) => new RegExp(source).test(document.getElementById(id).textContent), [id, pattern.source], { timeout: 15_000 });
/** The pixels of a location, from the upper left corner of the map, in a view of the URL. */
async function pixelOf(page, [lng, lat]) {
  const [zoom, atLat, atLng] = await place(page);
  const world = 256 * 2 ** zoom;
  const y = (lat) => (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;
  const { width, height } = await page.locator('#map').boundingBox();
  return [width / 2 + ((lng - atLng) / 360) * world, height / 2 + (y(lat) - y(atLat)) * world];
}
async function assertInView(page, locations) {
  const { x: panel } = await page.locator('#panel').boundingBox();
  for (const location of locations) {
    const [x, y] = await pixelOf(page, location);
    assert(x > 0 && x < panel && y > 0 && y < 800, `${location} is at ${x}, ${y} of ${await place(page)}`);
  }
}
const put = (server, name, body) => fetch(`${server.url}/${name}/points`, { method: 'PUT', headers: { 'content-type': 'text/csv' }, body });

describe('the first view', () => {
  test('has all of a few points, and points on the edge of the bounds', async () => {
    for (const [layer, locations] of [['few', CITIES], ['corners', [[0, 45], [20, 55], [0, 55], [20, 45]]]]) {
      const { page, done } = await visit(`layer=${layer}`);
      await assertInView(page, locations);
      await done();
    }
  });

  test('of an area without a position has the area beside its card', async () => {
    const { page, done } = await visit('layer=days&area=-65,15;-55,15;-55,25;-65,25');
    await page.waitForSelector('#area[data-state="done"]:not([hidden])');
    const { x, width } = await page.locator('#area').boundingBox();
    for (const corner of [[-65, 15], [-55, 25]]) {
      const [left] = await pixelOf(page, corner);
      assert(left > x + width, `${corner} is at ${left}, the card ends at ${x + width}`);
    }
    await assertInView(page, [[-65, 15], [-55, 25]]);
    await done();
  });
});

describe('another layer', () => {
  test('is shown where it is, unless the view is similar, and a button shows all of it', async () => {
    const { page, done } = await visit('layer=one&at=12/52.52/13.4');
    await page.selectOption('#layer', 'few');
    await page.waitForFunction(() => Number(/at=(\d+)/.exec(location.hash)[1]) < 8);
    await assertInView(page, CITIES);
    const before = await place(page);
    await page.selectOption('#layer', 'corners');
    await page.waitForTimeout(1200);
    assert.deepEqual(await place(page), before, 'a similar view stays');
    await page.evaluate(() => (location.hash = location.hash.replace(/at=[^&]*/, 'at=2/0/-100')));
    await page.waitForFunction(() => /at=2\/0/.test(location.hash));
    await page.selectOption('#layer', 'crowd');
    await page.waitForFunction(() => Number(/at=(\d+)/.exec(location.hash)[1]) >= 8);
    const [, lat, lng] = await place(page);
    assert(Math.hypot(lat - STOCKHOLM.lat, lng - STOCKHOLM.lng) < 1.5, `${lat}, ${lng}`);
    await page.click('[aria-label="Show the whole layer"]');
    assert.equal((await place(page))[0], 2);
    await done();
  });
});

describe('a layer that changes', () => {
  test('shows its new facts after it has been deleted and replaced', async () => {
    const own = await serve();
    const { page } = await chromium.page({}, [own.url]);
    assert((await put(own, 'swap', 'lon,lat,time,kind\n18,59,2024-01-01T00:00:00Z,bus\n18.1,59,2024-03-01T00:00:00Z,tram\n')).ok);
    await page.goto(`${own.url}/#layer=swap&at=6/59/18`);
    await says(page, 'about', /^2 points/);
    await says(page, 'when', /2024/);
    assert((await fetch(`${own.url}/swap`, { method: 'DELETE' })).ok);
    await page.selectOption('#curve', 'log');
    await page.waitForSelector('#banner');
    assert((await put(own, 'swap', 'lon,lat\n18,59\n18,59.1\n18,59.2\n')).ok);
    await page.waitForSelector('#banner', { state: 'hidden', timeout: 20_000 });
    await says(page, 'about', /^3 points/);
    await page.waitForFunction(() => document.getElementById('times').hidden && document.getElementById('categories').hidden);
    // Without a failure, another version is found by the next request.
    assert((await put(own, 'swap', 'lon,lat,time\n18,59,2020-01-01T00:00:00Z\n18.1,59,2021-03-01T00:00:00Z\n18,59,2021-03-01T00:00:00Z\n18,59,2021-03-01T00:00:00Z\n')).ok);
    await page.selectOption('#curve', 'linear');
    await says(page, 'about', /^4 points/);
    await says(page, 'when', /2020/);
    await page.context().close();
    own.stop();
  });

  test('has no scale as long as it has no points', async () => {
    const own = await serve();
    assert((await fetch(`${own.url}/empty`, { method: 'PUT' })).ok);
    const { page } = await chromium.page({}, [own.url]);
    await page.goto(`${own.url}/#layer=empty`);
    await says(page, 'about', /^No points yet\.$/);
    await shown(page);
    await says(page, 'status', /^No points yet$/);
    assert.equal(await page.isVisible('.kiln-legend-bar'), false);
    await page.context().close();
    own.stop();
  });
});

describe('a link', () => {
  test('with an unknown category is answered with the others, and a notice', async () => {
    const { page, done } = await visit('layer=days&categories=["bus","boat"]');
    await says(page, 'notice', /There is no category `boat`; showing bus\./);
    assert.equal((await hash(page)).get('categories'), '["bus"]');
    await page.evaluate(() => (location.hash = 'layer=days&categories=["boat"]'));
    await says(page, 'notice', /There is no category `boat`; showing all points\./);
    assert.equal((await hash(page)).get('categories'), null);
    await done();
  });

  test('to the matrix keeps statistic and scheme, and the labels of a comparison differ', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0&agg=mean&scheme=fire');
    assert.match(await page.getAttribute('#matrix', 'href'), /agg=mean&scheme=fire/);
    await page.evaluate(() => document.getElementById('compare').click());
    await says(page, 'before-label', /^Before: Seven days/);
    await says(page, 'after-label', /^Now: Seven days/);
    await done();
  });
});

describe('times up to the year 9999', () => {
  test('are stepped through without an error', async () => {
    const { page, done } = await visit('layer=late&at=6/59/18');
    await page.waitForSelector('#times:not([hidden])');
    for (const key of [',', ',', '.', '.', '.']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(150);
      const time = (await hash(page)).get('time');
      assert.match(time, /^\d{4}-[^.]+\.000Z\.\.\d{4}-/, time);
    }
    await page.evaluate(() => (location.hash = 'layer=late&at=6/59/18&time=9990-01-01T00:00:00.000Z..%2B010000-01-01T00:00:00.000Z'));
    await page.waitForTimeout(500);
    await shown(page);
    assert.equal(await page.isVisible('#banner'), false);
    await done();
  });
});
