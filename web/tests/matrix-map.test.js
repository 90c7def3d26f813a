// The map of the page of matrices, its numbers, and the state in its URL, in a browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { serve, WEEKS } from './kiln.js';

/** Weights below zero, and a column of another value. */
const SIGNED = `
[layers.signed]
input = "signed.csv"
weight = "gain"
time = "time"
`;
let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(WEEKS + SIGNED), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const ready = (page) => page.waitForSelector('#chart-frame[aria-busy="false"]', { state: 'attached' });
const text = (page, id) => page.textContent(`#${id}`);

/** Opens the page of a matrix. `page.texts()` are the texts that its charts have drawn. */
async function visit(state, { layer = 'weeks', prepare = () => undefined, ...options } = {}) {
  const visitor = await chromium.page(options, [kiln.url]);
  const { page } = visitor;
  await page.addInitScript(() => {
    window.texts = [];
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
      window.texts.push(text);
      return fillText.call(this, text, ...rest);
    };
  });
  await prepare(page);
  await page.goto(`${kiln.url}/matrix/${layer}#zone=UTC${state}`);
  await ready(page);
  return visitor;
}
const drawnTexts = (page) => page.evaluate(() => [...new Set(window.texts)]);
async function settle(page) {
  await page.waitForTimeout(250);
  await ready(page);
}
/** The query parameters of the last request whose URL matches. */
const query = (requested, pattern) => new URL(requested.findLast((url) => pattern.test(url))).searchParams;

describe('the map', () => {
  test('it has the aggregation of the matrix: tiles, legend and values', async () => {
    for (const agg of ['count', 'sum', 'mean', 'max']) {
      const { page, requested, done } = await visit(`&agg=${agg}&at=8/40.7/-74`);
      await page.waitForSelector('#map[aria-busy="false"]');
      await page.waitForSelector('.kiln-legend-unit');
      await page.locator('#map').click({ position: { x: 300, y: 120 } });
      await page.waitForSelector('.kiln-value');
      // The sum is the default of the layer.
      for (const pattern of [/\/weeks\/8\/\d+/, /legend\.json\?.*zoom=8/, /\/point\//]) assert.equal(query(requested, pattern).get('agg') ?? 'sum', agg, String(pattern));
      const unit = { count: /^points per km²$/, sum: /^delay per km²$/, mean: /^mean of delay$/, max: /^max of delay$/ }[agg];
      assert.match(await page.textContent('.kiln-legend-unit'), unit);
      // The lowest mean is no hole.
      assert.equal(query(requested, /legend\.json\?.*zoom=8/).get('transparent_low'), ['count', 'sum'].includes(agg) ? '0.2' : null);
      assert.equal(new URLSearchParams((await page.getAttribute('#back', 'href')).split('#')[1]).get('agg') ?? 'sum', agg);
      await done();
    }
  });

  test('sums of negative values have no transparent colors', async () => {
    const { page, requested, done } = await visit('&agg=sum', { layer: 'signed' });
    await page.waitForSelector('.kiln-legend-unit');
    assert.equal(query(requested, /signed\/legend\.json/).get('transparent_low'), null);
    await Promise.all([page.waitForRequest(/signed\/legend\.json\?.*agg=count/), page.selectOption('#agg', 'count')]);
    assert.equal(query(requested, /signed\/legend\.json\?.*agg=count/).get('transparent_low'), '0.2');
    await done();
  });

  test('months of years are a time range', async () => {
    const axis = { axis: 'year-month', title: 'year-month', labels: ['2023-11', '2023-12', '2024-01'], keys: ['2023-11', '2023-12', '2024-01'] };
    const none = { axis: 'none', title: '', labels: [''], keys: [''] };
    const json = { x: axis, y: none, values: [[4, 5, 6]], counts: [[4, 5, 6]], min: 4, max: 6, agg: 'count', unit: 'points', tz: 'UTC', total: 15, unplaced: 0, axes: ['year-month'], numbers: [] };
    const data = axis.labels.map((x, i) => ({ x, y: '', value: 4 + i, count: 4 + i }));
    const chart = { labels: { x: axis.labels, y: [''] }, xLabels: axis.labels, yLabels: [''], datasets: [{ label: 'points', data }], min: 4, max: 6 };
    const prepare = (page) => page.route(/\/matrix\?/, (route) => route.fulfill({ json: route.request().url().includes('format=json') ? json : chart }));
    const { page, requested, done } = await visit('&x=year-month&y=none&columns=["2023-11","2023-12"]', { prepare });
    await page.waitForSelector('.kiln-legend-unit');
    const { start, end } = Object.fromEntries(query(requested, /weeks\/legend\.json/));
    assert.deepEqual([start, end], ['2023-11-01', '2024-01-01']);
    assert.equal(await page.$eval('#x', ({ selectedOptions: [option] }) => option.textContent), 'year and month');
    await done();
  });

  test('a layer without positions has a matrix and no map', async () => {
    const prepare = async (page) => {
      const changed = (change) => async (route) => {
        const response = await route.fetch();
        return route.fulfill({ response, json: change(await response.json()) });
      };
      const without = (layer) => (layer.name === 'weeks' ? { ...layer, positions: false } : layer);
      await page.route('**/catalog', changed((catalog) => ({ ...catalog, layers: catalog.layers.map(without) })));
      await page.route('**/weeks/statistics?*', changed((statistics) => ({ ...statistics, bounds: null })));
    };
    const { page, requested, done } = await visit('', { prepare });
    assert.equal(await text(page, 'about'), '600 points without positions');
    assert.equal(await page.isVisible('#back'), false);
    assert.equal(await page.isVisible('#map'), false);
    requested.length = 0;
    await page.goto(`${kiln.url}/#layer=weeks`);
    await page.waitForURL(/\/matrix\/weeks/);
    await ready(page);
    assert(!requested.some((url) => /weeks\/(\d|tilejson|legend\.json\?.*zoom=[1-9])/.test(url)), requested.join('\n'));
    // The same by the picker of the map page.
    await page.goto(`${kiln.url}/#layer=days`);
    await page.waitForSelector('#map[aria-busy="false"]');
    await page.selectOption('#layer', 'weeks');
    await page.waitForURL(/\/matrix\/weeks/);
    await ready(page);
    await done();
  });
});

describe('numbers', () => {
  test('the selection has the number of its points, and their value', async () => {
    for (const agg of ['count', 'sum', 'mean', 'max']) {
      const { page, done } = await visit(`&agg=${agg}&columns=[7,12]&rows=[0,5]`);
      // On Monday at 7 are 16 points and at 12 four; the delay is the hour.
      const value = { count: '', sum: `${16 * 7 + 4 * 12 + 4 * 7 + 4 * 12} sum of delay, `, mean: `${Number(((20 * 7 + 8 * 12) / 28).toPrecision(5))} mean of delay, `, max: '12 max of delay, ' }[agg];
      assert.equal(await text(page, 'selection-values'), `${value}28 points`);
      await page.focus('#chart-frame');
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Enter');
      assert.equal(await text(page, 'announcement'), 'Selected: hour: 1 · weekday: Mon: no points');
      await page.keyboard.press('Escape');
      assert.equal(await text(page, 'announcement'), 'No selection');
      assert.equal(await page.isVisible('#selection-values'), false);
      await done();
    }
  });

  test('the values in the cells have one format', async () => {
    const drawn = async (state, options) => {
      const { page, done } = await visit(state, options);
      const found = await drawnTexts(page);
      const ticks = await page.$$eval('#legend-ticks span', (spans) => spans.map(({ textContent }) => textContent));
      await done();
      return { found, ticks };
    };
    const wide = { viewport: { width: 1500, height: 900 } };
    const signed = await drawn('&x=weekday&y=none&agg=sum', { ...wide, layer: 'signed' });
    for (const label of ['965', '1,033', '−12']) assert(signed.found.includes(label), signed.found.join());
    const means = await drawn('&x=weekday&y=none&agg=mean', wide);
    for (const label of ['11.1', '13.0']) assert(means.found.includes(label), means.found.join());
    const counts = await drawn('&x=weekday&y=none', { ...wide, layer: 'signed' });
    assert.deepEqual(counts.ticks, ['1', '2']);
  });

  test('small charts are in the middle of their frame', async () => {
    for (const state of ['&x=month&y=category', '&x=date&y=category']) {
      const { page, done } = await visit(state, { viewport: { width: 1200, height: 1300 } });
      const { box, frame } = await page.evaluate(() => {
        const rect = (id) => document.getElementById(id).getBoundingClientRect().toJSON();
        return { box: rect('chart-box'), frame: rect('chart-frame') };
      });
      assert(Math.abs(box.top - frame.top - (frame.bottom - box.bottom)) < 2, 'the chart is centered');
      assert(box.bottom <= frame.bottom + 1);
      await done();
    }
  });

  test('a chart that scrolls keeps the labels of its columns in view', async () => {
    const { page, done } = await visit('&x=hour&y=lat&y_bins=300');
    assert.equal(await page.isVisible('#chart-axis'), true);
    const [axis, frame] = await Promise.all(['#chart-axis', '#chart-frame'].map((id) => page.locator(id).boundingBox()));
    assert(Math.abs(axis.y + axis.height - frame.y - frame.height) < 2, JSON.stringify([axis, frame]));
    const ink = await page.$eval('#chart-axis', (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((part, i) => i % 4 === 3 && part > 128).length;
    });
    assert(ink > 200, `${ink}`);
    await page.selectOption('#y', 'weekday');
    await settle(page);
    assert.equal(await page.isVisible('#chart-axis'), false);
    await done();
  });
});

describe('the URL', () => {
  test('names of the API are accepted', async () => {
    const { page, requested, done } = await visit('&tz=Asia/Tokyo&category=bus&start=2024-01-08T00:00:00Z&end=2025&hours=7-9');
    const sent = query(requested, /format=chartjs/);
    assert.deepEqual(['tz', 'category', 'start', 'end', 'hours'].map((name) => sent.get(name)), ['Asia/Tokyo', '["bus"]', '2024-01-08T09:00', '2025-01-01', '7-9']);
    assert.equal(await text(page, 'notice'), '');
    await done();
  });

  test('invalid and unknown parameters are named in a notice', async () => {
    const { page, requested, done } = await visit('&agg=median&tz=Mars/Olympus&weekdays=noday&start=soon&scheme=rainbows&at=here&foo=1&hours=7-9');
    assert.equal(
      await text(page, 'notice'),
      'Invalid parameters of the URL are ignored: agg=median, tz=Mars/Olympus, start=soon, weekdays=noday, scheme=rainbows, at=here, foo=1.',
    );
    assert.equal(query(requested, /format=chartjs/).get('hours'), '7-9');
    await page.selectOption('#y', 'category');
    await settle(page);
    assert.equal(await text(page, 'notice'), '');
    await done();
  });
});
