// The pages of examples/matrix, in a browser. The files of the CDN are those of npm.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { middle, open } from './browser.js';
import { serve } from './kiln.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const FLIGHTS = `
[layers.flights]
input = "${here('../../data/flights.parquet')}"
weight = "delay"
category = "origin"
`;
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json', '.csv': 'text/csv' };
const CDN = 'https://cdn.jsdelivr.net';
const LIBRARIES = {
  'chart.js@4.6.1/+esm': 'chart.js/dist/chart.js',
  'chartjs-chart-matrix@3.1.0/+esm': 'chartjs-chart-matrix/dist/chartjs-chart-matrix.esm.js',
  'chart.js': 'chart.js/dist/chart.js',
  'chart.js/helpers': 'chart.js/dist/helpers.js',
  '@kurkle/color': '@kurkle/color/dist/color.esm.js',
};

let kiln, chromium, pages;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(FLIGHTS), open()]);
  pages = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://pages').pathname).replace(/\/$/, '/index.html');
    try {
      const body = readFileSync(join(here('../../examples/matrix'), path));
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
    }
  });
  await new Promise((done) => pages.listen(0, '127.0.0.1', done));
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  pages?.close(() => undefined).closeAllConnections();
});

/** The URL that a module of npm has on the CDN, in place of its name. */
const bundled = (code) => code.replace(/(from\s*|import\s*)(['"])([@\w][^'"]*)\2/g, (all, by, _, name) => (name in LIBRARIES ? `${by}'${CDN}/npm/${name}'` : all));

/** Answers requests to the CDN from node_modules. Relative imports are files next to the library. */
async function withCdn(page) {
  await page.route(`${CDN}/**`, (route) => {
    const name = new URL(route.request().url()).pathname.slice('/npm/'.length);
    const file = LIBRARIES[name] ?? name;
    const path = join(here('../node_modules'), file);
    // The chunks of a library are relative to its file.
    if (name in LIBRARIES && file !== name) return route.fulfill({ contentType: TYPES['.js'], headers: { 'access-control-allow-origin': '*' }, body: `export * from '${CDN}/npm/${file}';` });
    return route.fulfill({ contentType: TYPES['.js'], headers: { 'access-control-allow-origin': '*' }, body: bundled(readFileSync(path, 'utf8')) });
  });
}

/** Opens the page of a recipe. */
async function visit(name, { server = kiln.url, cdn = withCdn, prepare = () => undefined } = {}) {
  const origin = `http://127.0.0.1:${pages.address().port}`;
  const visitor = await chromium.page({}, [origin, server, CDN]);
  await cdn(visitor.page);
  await prepare(visitor.page);
  await visitor.page.goto(`${origin}/${name}/?server=${server}`);
  return visitor;
}
const error = (page) => page.textContent('#error');
const drawn = async (page) => {
  await page.waitForFunction(() => document.querySelector('.legend, #chart svg') || document.getElementById('error').textContent);
  assert.equal(await error(page), '');
  await page.waitForTimeout(1200); // the animation of Chart.js
};
const legend = (page) => page.$$eval('.legend span', (parts) => parts.map(({ textContent }) => textContent).filter(Boolean));

const isRed = ([red, green, blue]) => red > 150 && green < 100 && blue < 100;
const isBlue = ([red, green, blue]) => blue > 170 && red < 120 && green < 150;

describe('the pages of the recipes', () => {
  test('activity: departures by hour and day of the week, and the mean delay of an airport', async () => {
    const { page, requested, done } = await visit('activity');
    await drawn(page);
    const { min, max } = await kiln.json('flights/matrix?x=hour&y=weekday');
    assert.deepEqual(await legend(page), [min, `${max.toLocaleString('en')} departures`, 'no value'].map(String));
    assert(middle(await chromium.look(page), isRed).count > 2000);
    await page.selectOption('#agg', 'mean');
    await page.fill('#airport', 'ORD');
    await page.dispatchEvent('#airport', 'change');
    await page.waitForFunction(() => document.querySelector('.legend').textContent.includes('minutes'));
    assert(requested.some((url) => url.includes('agg=mean') && url.includes('category=ORD')), requested.join('\n'));
    assert.equal(await page.$$eval('.legend', ({ length }) => length), 1);
    await done();
  });

  test('temperature: from blue to red, with stripes in place of missing values', async () => {
    const { page, done } = await visit('temperature');
    await drawn(page);
    const hall = JSON.parse(readFileSync(here('../../examples/matrix/temperature/hall.json'), 'utf8'));
    const values = hall.values.flat().filter((value) => value !== null);
    assert.deepEqual(await legend(page), [String(Math.min(...values)), `${Math.max(...values)} °C`, 'no value']);
    const seen = await chromium.look(page);
    assert(middle(seen, isRed).count > 500 && middle(seen, isBlue).count > 500);
    // The middle of the first missing cell, and that of its neighbor.
    const [row, column] = hall.values.flatMap((cells, row) => cells.flatMap((value, column) => (value === null ? [[row, column]] : [])))[0];
    const box = await page.locator('#chart').boundingBox();
    const area = await page.evaluate(async () => {
      const { Chart } = await import('https://cdn.jsdelivr.net/npm/chart.js/dist/chart.js');
      const { left, top, width, height } = Chart.getChart('chart').chartArea;
      return { left, top, width, height };
    });
    await page.evaluate(() => scrollTo(0, 0));
    const [w, h] = [area.width / hall.values[0].length, area.height / hall.values.length];
    const colors = (at) => {
      const found = new Set();
      for (let dy = -4; dy <= 4; dy++) for (let dx = -4; dx <= 4; dx++) found.add(String(seen.at(Math.round(box.x + area.left + (at + 0.5) * w + dx), Math.round(box.y + area.top + (row + 0.5) * h + dy))));
      return found.size;
    };
    assert(colors(column) > 1, 'no stripes');
    assert.equal(colors(column === 0 ? 1 : column - 1), 1);
    await done();
  });

  test('performance and sales: charts of the server, without a CDN', async () => {
    for (const [name, content] of [['performance', 'api-3'], ['sales', 'Hamburg']]) {
      const { page, requested, done } = await visit(name, { cdn: () => undefined });
      await drawn(page);
      assert((await page.textContent('#chart svg')).includes(content), name);
      assert(!requested.some((url) => url.startsWith(CDN)), requested.join('\n'));
      await done();
    }
  });

  test('database: sums by month and region of a product', async () => {
    const cells = [{ x: 'Jan', y: 'North', value: 120.5, count: 2 }, { x: 'Feb', y: 'South', value: 80, count: 1 }];
    const chart = { labels: { x: ['Jan', 'Feb'], y: ['North', 'South'] }, xLabels: ['Jan', 'Feb'], yLabels: ['North', 'South'], datasets: [{ label: 'sum of amount', data: cells }], min: 80, max: 120.5 };
    const queries = [];
    // The table is one of PostgreSQL. The tests of its matrices are those of the server.
    const prepare = (page) => page.route('**/orders/matrix?*', (route) => {
      const query = new URL(route.request().url()).searchParams;
      queries.push(Object.fromEntries(query));
      const body = query.get('format') === 'chartjs' ? chart : { x: { labels: ['Chairs', 'Lamps'] } };
      return route.fulfill({ json: body, headers: { 'access-control-allow-origin': '*' } });
    });
    const { page, done } = await visit('database', { prepare });
    await drawn(page);
    assert.deepEqual(await legend(page), ['80', '120.5 euros', 'no value']);
    await page.waitForFunction(() => document.querySelectorAll('#product option').length === 3);
    await page.selectOption('#product', 'Lamps');
    await page.waitForTimeout(300);
    const expected = { x: 'month', y: 'region', agg: 'sum', value: 'amount', tz: 'Europe/Berlin', start: '2024-01-01', end: '2025-01-01', format: 'chartjs', category: 'Lamps' };
    assert.deepEqual(queries.at(-1), expected);
    await done();
  });

  test('a page says which request has failed', async () => {
    const failed = async (name, options) => {
      const { page } = await visit(name, options);
      await page.waitForFunction(() => document.getElementById('error').textContent);
      const found = await error(page);
      await page.context().close();
      return found;
    };
    const blocked = (page) => page.route(`${CDN}/**`, (route) => route.abort());
    const nowhere = 'http://127.0.0.1:1';
    for (const name of ['activity', 'temperature', 'database']) {
      assert.match(await failed(name, { cdn: blocked }), /^Chart\.js failed to load from https:\/\/cdn\.jsdelivr\.net/, name);
    }
    for (const name of ['activity', 'temperature', 'database', 'performance', 'sales']) {
      const prepare = (page) => page.route(`${nowhere}/**`, (route) => route.abort('connectionrefused'));
      assert.equal(await failed(name, { server: nowhere, prepare }), `${nowhere} cannot be reached.`, name);
    }
    assert.match(await failed('database'), /orders/);
    const broken = (page) => page.route('**/server.js', (route) => route.fulfill({ status: 404, body: '' }));
    assert.match(await failed('sales', { prepare: broken }), /server\.js/);
  });
});
