// The page of matrices, and the filters by parts of the time on the map page, in a browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { isHot, middle, open } from './browser.js';
import { FLOORS, MARKUP, serve, site, WEEKS } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(WEEKS + FLOORS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const UTC = 'zone=UTC';
const ready = (page) => page.waitForSelector('#chart-frame[aria-busy="false"]', { state: 'attached' });
const mapReady = (page) => page.waitForSelector('#map[aria-busy="false"]');

/** Opens the page of a matrix and waits until it and its map are drawn. */
async function visit(state = '', { layer = 'weeks', server = kiln.url, ...options } = {}) {
  const visitor = await chromium.page(options, [server]);
  await visitor.page.goto(`${server}/matrix/${layer}#${state}`);
  await ready(visitor.page);
  return visitor;
}

const fragment = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
/** Waits until the page shows what a change requests. */
async function settle(page) {
  await page.waitForTimeout(250);
  await ready(page);
}
const text = (page, id) => page.textContent(`#${id}`);
/** The texts of the table, row by row, with the labels. */
async function table(page) {
  await page.$eval('#table-details', (details) => (details.open = true));
  return page.$$eval('#table tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
}
const api = (query) => kiln.json(`weeks/matrix?${query}`);

/** The position on screen of the cell whose text begins with `name`, such as `weekday Mon, hour 7`. */
async function cellAt(page, name) {
  const box = await page.locator('#chart').boundingBox();
  for (let y = box.y + 12; y < box.y + box.height; y += 9) {
    for (let x = box.x + 40; x < box.x + box.width; x += 12) {
      await page.mouse.move(x, y);
      const found = await text(page, 'cell');
      if (found.startsWith(`${name}:`)) return { x, y };
      // Skips a row of other cells.
      if (found && name.includes(',') && !found.startsWith(`${name.split(',')[0]},`)) break;
    }
  }
  throw new Error(`no cell ${name}`);
}
const click = async (page, name, options) => {
  const { x, y } = await cellAt(page, name);
  if (options?.shift) await page.keyboard.down('Shift');
  await page.mouse.click(x, y);
  if (options?.shift) await page.keyboard.up('Shift');
};
/** The query parameters of the tiles on the map. The server writes them in its canonical form. */
async function tiles(page) {
  await page.waitForTimeout(200);
  await mapReady(page);
  return new URL(await page.$eval('.leaflet-heat-pane .leaflet-tile-loaded', (tile) => tile.src)).searchParams;
}
const filters = (query) => Object.fromEntries(['hours', 'weekdays', 'months', 'start', 'end', 'tz', 'category'].flatMap((name) => (query.has(name) ? [[name, query.get(name)]] : [])));

describe('the chart', () => {
  test('the table has the values of the API, and missing cells are not zero', async () => {
    const { page, done } = await visit(UTC);
    const expected = await api('x=hour&y=weekday&tz=UTC');
    const [head, ...rows] = await table(page);
    assert.deepEqual(head.slice(1), expected.x.labels);
    assert.deepEqual(rows, expected.y.labels.map((label, i) => [label, ...expected.values[i].map((value) => (value === null ? '–' : String(value)))]));
    assert.deepEqual([rows[0][8], rows[6][8], rows[0][1]], ['16', '4', '–']);
    assert.match(await text(page, 'status'), /^600 points in 105 of 168 cells$/);
    await done();
  });

  test('cells have the colors of the scheme, and missing ones have none', async () => {
    const { page, done } = await visit(`${UTC}&scheme=viridis`);
    const { colors } = await kiln.json('weeks/legend.json?scheme=viridis&zoom=0');
    const places = [];
    for (const name of ['weekday Mon, hour 7', 'weekday Sun, hour 12', 'weekday Mon, hour 2']) places.push(await cellAt(page, name));
    await page.mouse.move(5, 5);
    const seen = await chromium.look(page);
    // The edge of the cell: its middle may have a text.
    const [greatest, least, missing] = places.map(({ x, y }) => seen.at(Math.round(x), Math.round(y)));
    const rgb = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
    const nearly = (found, color) => found.every((part, i) => Math.abs(part - color[i]) <= 3);
    assert(nearly(greatest, rgb(colors.at(-1))), `${greatest}`);
    assert(nearly(least, rgb(colors[0])), `${least}`);
    assert(missing.every((part) => part > 180), `${missing}`);
    await done();
  });

  test('the tooltip has labels, value with unit, and count', async () => {
    const { page, done } = await visit(`${UTC}&agg=mean`);
    const { x, y } = await cellAt(page, 'weekday Wed, hour 8');
    assert.equal(await text(page, 'cell'), 'weekday Wed, hour 8: 8 mean of delay, 16 points');
    await page.mouse.move(5, 5);
    const before = await chromium.look(page);
    await page.mouse.move(x, y);
    await page.waitForTimeout(150);
    const after = await chromium.look(page);
    // The tooltip covers cells next to the pointer.
    const changed = middle({ width: 1000, height: 340, at: (column, row) => [before.at(column, row), after.at(column, row)] }, ([a, b]) => String(a) !== String(b));
    assert(changed.count > 1500, `${changed.count}`);
    await done();
  });

  test('pickers change the axes and the values, and the URL restores them', async () => {
    const { page, requested, done } = await visit(UTC);
    await page.selectOption('#y', 'category');
    await page.selectOption('#agg', 'max');
    await page.selectOption('#scheme', 'magma');
    await page.selectOption('#zone', 'America/New_York');
    await page.fill('#start', '2024-01-08T00:00');
    await page.dispatchEvent('#start', 'change');
    await settle(page);
    const query = new URL(requested.findLast((url) => url.includes('format=chartjs'))).searchParams;
    const sent = Object.fromEntries(['x', 'y', 'agg', 'tz', 'start'].map((name) => [name, query.get(name)]));
    assert.deepEqual(sent, { x: 'hour', y: 'category', agg: 'max', tz: 'America/New_York', start: '2024-01-08T00:00' });
    const [, ...rows] = await table(page);
    assert.deepEqual(rows.map(([label]) => label), (await api('x=hour&y=category')).y.labels);
    assert.match(await text(page, 'subtitle'), /^max of delay by hour of the day and category$/);
    const again = await visit((await page.evaluate(() => location.hash)).slice(1));
    for (const id of ['x', 'y', 'agg', 'scheme', 'zone', 'start']) {
      assert.equal(await again.page.inputValue(`#${id}`), await page.inputValue(`#${id}`), id);
    }
    assert.deepEqual((await table(again.page)).slice(1), rows);
    await again.done();
    await page.click('#swap');
    await settle(page);
    assert.deepEqual([await page.inputValue('#x'), await page.inputValue('#y')], ['category', 'hour']);
    await done();
  });

  test('the time zone is that of the browser, and all that it knows can be chosen', async () => {
    const { page, requested, done } = await visit('', { timezoneId: 'Asia/Tokyo' });
    assert(requested.some((url) => url.includes('tz=Asia/Tokyo')), requested.join('\n'));
    const zones = await page.$$eval('#zone option', (options) => options.map(({ value }) => value));
    assert(zones.length > 300 && zones.includes('UTC') && zones.includes('Europe/Paris'), `${zones.length}`);
    const [, monday] = await table(page);
    // 7:30 UTC is 16:30 in Tokyo.
    assert.equal(monday[1 + 16], '16');
    await done();
  });

  test('numeric axes have bins', async () => {
    const { page, requested, done } = await visit(`${UTC}&x=lon&y=lat`);
    await page.fill('#x-bins', '4');
    await page.dispatchEvent('#x-bins', 'change');
    await settle(page);
    assert(requested.at(-1).includes('x_bins=4') || requested.some((url) => url.includes('x_bins=4')));
    assert.equal((await table(page))[0].length, 5);
    await page.selectOption('#x', 'hour');
    await settle(page);
    assert.equal(await page.isVisible('#x-bins'), false);
    assert.equal((await fragment(page)).get('x_bins'), null);
    await done();
  });

  test('labels with markup are inert', async () => {
    const { page, done } = await visit(`${UTC}&x=category&y=none`);
    const labels = (await table(page))[0];
    assert(labels.includes(MARKUP), labels.join());
    await click(page, `category ${MARKUP}`);
    assert((await text(page, 'selection-text')).includes(MARKUP));
    await page.click('#categories summary');
    assert.equal(await page.$$eval('img[src="x"]', ({ length }) => length), 0);
    await done();
  });

  test('files of the matrix can be downloaded, and the code works on another page', async () => {
    const { page, done } = await visit(`${UTC}&agg=mean&scheme=magma`);
    await page.click('#take summary');
    const types = { png: 'image/png', svg: 'image/svg+xml', csv: 'text/csv', json: 'application/json' };
    for (const [format, type] of Object.entries(types)) {
      const reply = await fetch(await page.$eval(`#as-${format}`, (link) => link.href));
      assert.deepEqual([reply.status, reply.headers.get('content-type').split(';')[0]], [200, type]);
    }
    const code = await text(page, 'snippet');
    await done();
    const imports = {
      'chart.js/auto': '/node_modules/chart.js/auto/auto.js', 'chart.js': '/node_modules/chart.js/dist/chart.js', 'chart.js/helpers': '/node_modules/chart.js/dist/helpers.js',
      '@kurkle/color': '/node_modules/@kurkle/color/dist/color.esm.js', 'chartjs-chart-matrix': '/node_modules/chartjs-chart-matrix/dist/chartjs-chart-matrix.esm.js',
    };
    const html = `<link rel="icon" href="data:,"><script type="importmap">${JSON.stringify({ imports })}</script><canvas id="matrix"></canvas><script type="module">${code}\ndocument.title = 'drawn';</script>`;
    const other = await site({ '/': html });
    const visitor = await chromium.page({}, [other.url, kiln.url]);
    await visitor.page.goto(other.url);
    await visitor.page.waitForFunction(() => document.title === 'drawn');
    await visitor.page.waitForTimeout(1200); // the animation of Chart.js
    // The colors of the scheme above black: purple and orange.
    const seen = middle(await chromium.look(visitor.page), ([red, green, blue]) => red > 120 && green < 140 && blue < 170);
    assert(seen.count > 5000, `${seen.count}`);
    await visitor.done();
    other.stop();
  });
});

describe('the selection', () => {
  test('a click filters the map by hour and day of the week, and a second one clears it', async () => {
    const { page, done } = await visit(UTC);
    await click(page, 'weekday Tue, hour 8');
    assert.equal(await text(page, 'selection-text'), 'hour: 8 · weekday: Tue');
    assert.deepEqual(filters(await tiles(page)), { hours: '8', weekdays: 'tue', tz: 'UTC' });
    const state = await fragment(page);
    assert.deepEqual([state.get('columns'), state.get('rows')], ['[8]', '[1]']);
    const again = await visit(state.toString());
    assert.deepEqual(filters(await tiles(again.page)), { hours: '8', weekdays: 'tue', tz: 'UTC' });
    await again.done();
    await click(page, 'weekday Tue, hour 8');
    assert.deepEqual(filters(await tiles(page)), {});
    assert.equal((await fragment(page)).get('columns'), null);
    await done();
  });

  test('a drag selects a rectangle, Shift adds to it, and labels are whole rows', async () => {
    const { page, done } = await visit(UTC);
    const [from, to] = [await cellAt(page, 'weekday Mon, hour 7'), await cellAt(page, 'weekday Fri, hour 9')];
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 4 });
    await page.mouse.up();
    assert.deepEqual(filters(await tiles(page)), { hours: '7-9', weekdays: 'mon-fri', tz: 'UTC' });
    await click(page, 'weekday Mon, hour 16', { shift: true });
    assert.deepEqual(filters(await tiles(page)), { hours: '7-9,16', weekdays: 'mon-fri', tz: 'UTC' });
    assert.equal(await text(page, 'selection-text'), 'hour: 7 – 9, 16 · weekday: Mon – Fri');
    await page.click('#clear');
    assert.deepEqual(filters(await tiles(page)), {});
    const { y } = await cellAt(page, 'weekday Sat, hour 8');
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.click(box.x + 45, y);
    assert.deepEqual(filters(await tiles(page)), { weekdays: 'sat', tz: 'UTC' });
    await done();
  });

  test('dates are a time range of local dates, and years and categories filter as well', async () => {
    const { page, done } = await visit('zone=America/New_York&x=date&y=category&columns=["2024-01-03","2024-01-04"]&rows=["bus"]');
    const found = filters(await tiles(page));
    assert.deepEqual(found, { start: '2024-01-03T05:00:00Z', end: '2024-01-05T05:00:00Z', tz: 'America/New_York', category: '["bus"]' });
    await page.evaluate(() => (location.hash = 'zone=UTC&x=year&y=month&columns=[2024]&rows=[1]'));
    await settle(page);
    // Of a single year, it is all.
    assert.deepEqual(filters(await tiles(page)), { months: '1', tz: 'UTC' });
    await page.evaluate(() => (location.hash = 'zone=UTC&x=date&columns=["2024-01-03","2024-01-09"]'));
    await settle(page);
    assert.deepEqual(filters(await tiles(page)), { start: '2024-01-03T00:00:00Z', end: '2024-01-10T00:00:00Z', tz: 'UTC' });
    assert.match(await text(page, 'notes'), /whole time from 2024-01-03 to 2024-01-09/);
    await done();
  });

  test('the page says by which axes the map cannot be filtered', async () => {
    const { page, done } = await visit(`${UTC}&x=day&columns=[3]&rows=[0]`);
    assert.deepEqual(filters(await tiles(page)), { weekdays: 'mon', tz: 'UTC' });
    assert.match(await text(page, 'notes'), /cannot be filtered by day/);
    await done();
  });

  test('filters and the selection apply together', async () => {
    const { page, done } = await visit(`${UTC}&hours=7-9&weekdays=mon-tue&start=2024-01-08&columns=[8]`);
    assert.deepEqual(filters(await tiles(page)), { hours: '8', weekdays: 'mon-tue', start: '2024-01-08T00:00:00Z', tz: 'UTC' });
    // The hours and days that the filters exclude are not listed.
    const [head, monday, ...others] = await table(page);
    assert.deepEqual([head.slice(1), others.length, monday[1 + 1]], [['7', '8', '9'], 1, '12']);
    await done();
  });

  test('selected bins of longitude and latitude move the map to them', async () => {
    const { page, done } = await visit(`${UTC}&x=lon&y=lat&x_bins=2&y_bins=2&at=3/0/0`);
    const { y } = await api('x=lon&y=lat&x_bins=2&y_bins=2');
    await page.focus('#chart-frame');
    for (const key of ['ArrowRight', 'Enter']) await page.keyboard.press(key);
    await page.waitForTimeout(600);
    const [, lat, lng] = (await fragment(page)).get('at').split('/').map(Number);
    const [low, high] = y.keys[0];
    assert(lat > low - 0.1 && lat < high + 0.1 && lng > -74.1 && lng < -73.7, `${lat}, ${lng} and not ${y.keys[0]}`);
    await done();
  });

  test('the keyboard moves, selects and clears, and the cell is announced', async () => {
    const { page, done } = await visit(UTC);
    await page.focus('#skip');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'chart-frame');
    assert.equal(await text(page, 'announcement'), 'weekday Mon, hour 0: no points');
    for (let i = 0; i < 7; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    assert.equal(await text(page, 'announcement'), 'weekday Tue, hour 7: 16 points');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Shift+ArrowRight');
    await page.keyboard.press('Shift+ArrowDown');
    assert.equal(await text(page, 'selection-text'), 'hour: 7 – 8 · weekday: Tue – Wed');
    assert.deepEqual(filters(await tiles(page)), { hours: '7-8', weekdays: 'tue-wed', tz: 'UTC' });
    await page.keyboard.press('Escape');
    assert.equal(await page.isVisible('#clear'), false);
    const nameless = await page.evaluate(() => {
      const label = (element) => element.getAttribute('aria-label') || element.title || element.labels?.[0]?.textContent.trim() || element.textContent.trim();
      return [...document.querySelectorAll('a, button, input, select, summary')].filter((element) => !label(element)).map((element) => element.outerHTML);
    });
    assert.deepEqual(nameless, []);
    await done();
  });

  test('the matrix can follow the view of the map', async () => {
    const { page, requested, done } = await visit(`${UTC}&at=8/40.7/-74`);
    await mapReady(page);
    assert(!requested.some((url) => url.includes('bbox=')));
    await page.check('#in-view');
    await settle(page);
    const boxOf = () => new URL(requested.findLast((url) => url.includes('format=chartjs'))).searchParams.get('bbox')?.split(',').map(Number);
    const first = boxOf();
    assert(first[0] < -74 && first[2] > -74 && first[1] < 40.7 && first[3] > 40.7, `${first}`);
    assert.equal((await fragment(page)).get('view'), 'map');
    // A move to an area without points.
    await page.evaluate(() => (location.hash = 'zone=UTC&view=map&at=8/10/10'));
    await page.waitForSelector('#message:not([hidden])');
    assert.equal(await text(page, 'message-text'), 'No points pass the filters.');
    assert(Math.abs((boxOf()[0] + boxOf()[2]) / 2 - 10) < 0.1, `${boxOf()}`);
    await page.click('#reset');
    await settle(page);
    assert.equal(await page.isVisible('#chart'), true);
    assert.equal(boxOf(), undefined);
    // A drag of the map changes it again.
    await page.check('#in-view');
    await settle(page);
    const before = boxOf();
    await page.focus('#map');
    await page.keyboard.press('ArrowRight');
    await page.waitForTimeout(900);
    assert.notDeepEqual(boxOf(), before);
    await done();
  });
});

describe('states', () => {
  test('an error of the server is shown with its detail', async () => {
    const { page } = await visit('x=hours');
    await page.waitForSelector('#message:not([hidden])');
    assert.match(await text(page, 'message-text'), /x: there is no axis `hours`; did you mean hour\?/);
    assert.equal(await page.isVisible('#retry'), false);
    await page.selectOption('#x', 'hour');
    await page.waitForSelector('#chart-frame:not([hidden])');
    assert.equal(await page.isVisible('#message'), false);
    await page.context().close();
  });

  test('a matrix without points says so and offers to remove the filters', async () => {
    const { page, done } = await visit(`${UTC}&hours=2`);
    assert.equal(await text(page, 'message-text'), 'No points pass the filters.');
    await page.click('#reset');
    await page.waitForSelector('#chart-frame:not([hidden])');
    assert.equal((await fragment(page)).get('hours'), null);
    await done();
  });

  test('a failed connection is reported, and can be tried again', async () => {
    const own = await serve(WEEKS);
    const { page } = await visit(UTC, { server: own.url });
    await page.route(/\/matrix\?/, (route) => route.abort('connectionrefused'));
    await page.selectOption('#y', 'month');
    await page.waitForSelector('#message:not([hidden])');
    assert.equal(await text(page, 'message-text'), 'The server cannot be reached.');
    await page.unroute(/\/matrix\?/);
    await page.click('#retry');
    await page.waitForSelector('#chart-frame:not([hidden])');
    own.stop();
    // Not one of the axes that the browser has in its cache.
    await page.selectOption('#y', 'year');
    await page.waitForSelector('#message:not([hidden])');
    assert.equal(await text(page, 'message-text'), 'The server cannot be reached.');
    await page.context().close();
  });

  test('while it loads, the page says so', async () => {
    const { page } = await visit(UTC);
    await page.route(/\/matrix\?/, (route) => setTimeout(() => void route.continue().catch(() => undefined), 600));
    await page.selectOption('#y', 'month');
    await page.waitForSelector('#chart-frame[aria-busy="true"]');
    assert.equal(await text(page, 'status'), 'Loading…');
    await ready(page);
    assert.match(await text(page, 'status'), /points in/);
    await page.context().close();
  });

  test('an unknown layer is a page not found', async () => {
    const reply = await fetch(`${kiln.url}/matrix/nowhere`);
    assert.equal(reply.status, 404);
    assert.match((await reply.json()).detail, /nowhere/);
  });

  test('a layer on a plane has no map, and one without times has other axes', async () => {
    const { page, done } = await visit(`${UTC}&columns=[8]`, { layer: 'office' });
    assert.equal(await page.isVisible('#map'), false);
    assert.equal(await page.isVisible('#in-view'), false);
    assert.equal(await text(page, 'selection-text'), 'hour: 8');
    assert((await page.getAttribute('#back', 'href')).includes('hours=8'));
    await done();
    const bare = await visit('', { layer: 'bare' });
    assert.deepEqual([await bare.page.inputValue('#x'), await bare.page.inputValue('#y')], ['x', 'y']);
    assert.equal(await bare.page.isVisible('#zone'), false);
    assert.equal(await bare.page.isVisible('#chart'), true);
    await bare.done();
  });

  test('a phone shows the chart first, and nothing is wider than its screen', async () => {
    const { page, done } = await visit(UTC, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    assert.equal(await page.isVisible('#controls'), false);
    const box = await page.locator('#chart').boundingBox();
    assert(box.x >= 0 && box.x + box.width <= 390 && box.y < 300, JSON.stringify(box));
    await page.tap('#fold');
    assert.equal(await page.isVisible('#scheme'), true);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 390, `${wide}`);
    await page.tap('#fold');
    await page.touchscreen.tap(box.x + 200, box.y + 60);
    assert.match(await text(page, 'selection-text'), /^hour: \d+ · weekday: \w+$/);
    await done();
  });

  test('dark and light', async () => {
    const brightness = async ({ page }) => (await chromium.look(page)).at(300, 6).reduce((sum, part) => sum + part, 0) / 3;
    const [light, dark] = [await visit(UTC), await visit(UTC, { colorScheme: 'dark' })];
    assert((await brightness(light)) > 230 && (await brightness(dark)) < 60);
    for (let i = 0; i < 2; i++) await light.page.click('#theme');
    await light.page.waitForTimeout(200);
    assert((await brightness(light)) < 60);
    await light.done();
    await dark.done();
  });

  test('the page is less than 150 kB, and the map page has nothing of the chart', async () => {
    const { requested, done } = await visit(UTC);
    const files = [...new Set(requested.filter((url) => /\/assets\/.*\.(js|css)$/.test(url)))];
    let [bytes, charts] = [0, []];
    for (const url of files) {
      const body = Buffer.from(await (await fetch(url)).arrayBuffer());
      bytes += gzipSync(body).length;
      if (body.includes('chartArea')) charts.push(url);
    }
    assert(bytes < 150_000, `${bytes}`);
    assert.equal(charts.length, 1);
    await done();
    const map = await chromium.page({}, [kiln.url]);
    await map.page.goto(`${kiln.url}/#layer=weeks`);
    await mapReady(map.page);
    assert(!map.requested.includes(charts[0]) && map.requested.some((url) => url.includes('/assets/')));
    await map.done();
  });
});

describe('the map page', () => {
  async function map(state) {
    const visitor = await chromium.page({}, [kiln.url]);
    await visitor.page.goto(`${kiln.url}/#${state}`);
    await mapReady(visitor.page);
    return visitor;
  }

  test('hours, days of the week and months filter tiles, legend, statistics and values', async () => {
    const { page, requested, done } = await map('layer=weeks&at=7/40.7/-74&handover=off');
    await page.click('#time-parts summary');
    requested.length = 0;
    for (const [part, values] of [['hours', [7, 8, 9]], ['weekdays', [0]], ['months', [1]]]) {
      for (const value of values) await page.check(`.chips.${part} input[value="${value}"]`, { force: true });
    }
    await page.selectOption('#part-zone', 'Europe/Paris');
    await page.waitForTimeout(400);
    await mapReady(page);
    const expected = { hours: '7-9', weekdays: 'mon', months: 'jan', tz: 'Europe/Paris' };
    for (const path of [/\/weeks\?/, /weeks\/legend\.json/, /weeks\/statistics/]) {
      const url = requested.findLast((url) => path.test(url));
      assert.deepEqual(filters(new URL(url).searchParams), expected, url);
    }
    assert.deepEqual(filters(await tiles(page)), { ...expected, months: '1' });
    // The click is on the map, on which a panel covers the east.
    await page.mouse.click(500, 350);
    await page.waitForSelector('.kiln-value');
    const value = requested.findLast((url) => url.includes('/point/'));
    assert.deepEqual(filters(new URL(value).searchParams), expected);
    const state = await fragment(page);
    assert.deepEqual(['hours', 'weekdays', 'months', 'zone'].map((name) => state.get(name)), ['7-9', 'mon', 'jan', 'Europe/Paris']);
    const again = await map(state.toString());
    assert.equal(await again.page.textContent('#time-parts summary output'), '7–9 · Mon · Jan');
    await again.done();
    // Frames keep the filter.
    requested.length = 0;
    await page.click('#play');
    await page.waitForTimeout(1500);
    await page.click('#play');
    const frames = requested.filter((url) => /\/weeks\/7\/\d+/.test(url)).map((url) => new URL(url).searchParams);
    assert(frames.length > 0 && frames.every((query) => query.get('hours') === '7-9' && query.get('start')));
    await page.click('#time-parts button');
    await page.waitForTimeout(300);
    assert.equal((await fragment(page)).get('hours'), null);
    await done();
  });

  test('points that the browser draws are filtered, too', async () => {
    const { page, requested, done } = await map('layer=weeks&at=8/40.7/-74&hours=8&zone=UTC&handover=on');
    await page.waitForSelector('canvas.points');
    const url = requested.find((url) => url.includes('/points?'));
    assert.deepEqual(filters(new URL(url).searchParams), { hours: '8', tz: 'UTC' });
    await done();
  });

  test('links lead to the matrix and back, with the filters', async () => {
    const { page, done } = await map('layer=weeks&at=5/41/-74&hours=7-9&zone=UTC&time=2024-01-08T00:00:00.000Z..2024-01-15T00:00:00.000Z&categories=["bus"]');
    await page.waitForSelector('#matrix-link:not([hidden])');
    await page.click('#matrix');
    await page.waitForURL(/\/matrix\/weeks/);
    await ready(page);
    const state = await fragment(page);
    assert.deepEqual(['hours', 'start', 'end', 'categories', 'zone', 'at'].map((name) => state.get(name)), ['7-9', '2024-01-08T00:00', '2024-01-15T00:00', '["bus"]', 'UTC', '5/41/-74']);
    await click(page, 'weekday Mon, hour 8');
    await page.click('#back');
    await page.waitForSelector('#matrix-link:not([hidden])');
    await mapReady(page);
    const back = await fragment(page);
    assert.deepEqual(
      ['layer', 'hours', 'weekdays', 'time', 'categories', 'at'].map((name) => back.get(name)),
      ['weeks', '8', 'mon', '2024-01-08T00:00:00.000Z..2024-01-15T00:00:00.000Z', '["bus"]', '5/41/-74'],
    );
    assert(middle(await chromium.look(page), isHot).count > 20);
    await done();
  });

  test('a floor is filtered as well', async () => {
    const { page, requested, done } = await map('layer=office&space=floor-1&hours=9-10&zone=UTC');
    const grid = requested.find((url) => url.includes('/office/grid?'));
    assert.deepEqual(filters(new URL(grid).searchParams), { hours: '9-10', tz: 'UTC', category: '["floor-1"]' });
    assert((await page.getAttribute('#matrix', 'href')).includes('/matrix/office#zone=UTC&hours=9-10&categories='));
    assert((await page.getAttribute('#surface', 'href')).includes('hours=9-10'));
    await done();
  });
});
