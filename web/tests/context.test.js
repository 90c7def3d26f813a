// What is around the heat map: outlines and names, the picture with map and legend, and the time bar.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { isHot, open, pixels } from './browser.js';
import { serve } from './kiln.js';

/** Few points on a large area: 0.0001 points per km². */
const SPARSE = `
[layers.sparse]
input = "days.csv"
weight = "none"
time = "time"
style = { radius = "500km" }
`;

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(SPARSE), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

async function visit(state, options) {
  const visitor = await chromium.page(options, [kiln.url]);
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await visitor.page.waitForSelector('#map[aria-busy="false"]');
  return visitor;
}

const hash = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
const named = (page) => page.waitForSelector('canvas.names[data-count]');
const names = (page) => page.$eval('canvas.names', (canvas) => Number(canvas.dataset.count));
const text = (page, id) => page.textContent(`#${id}`);
/** The number of opaque pixels of a canvas in a rectangle of the screen. */
const ink = (page, selector, box) =>
  page.$$eval(
    selector,
    (canvases, [left, top, right, bottom]) => {
      let count = 0;
      for (const canvas of canvases) {
        const { x, y, width } = canvas.getBoundingClientRect();
        const ratio = canvas.width / width;
        const [from, to] = [[left - x, top - y], [right - x, bottom - y]].map((corner) => corner.map((at) => Math.round(at * ratio)));
        const pixels = canvas.getContext('2d').getImageData(from[0], from[1], to[0] - from[0], to[1] - from[1]).data;
        for (let i = 3; i < pixels.length; i += 4) count += pixels[i] > 60;
      }
      return count;
    },
    box,
  );

describe('outlines and names', () => {
  test('the name of a town is beside it, also after a zoom', async () => {
    const { page, done } = await visit('layer=one&at=5/48.85/2.35');
    await named(page);
    // Paris is at the center of the map.
    const besideCenter = [496, 342, 540, 358];
    assert((await ink(page, 'canvas.names', besideCenter)) > 100);
    await page.click('.leaflet-control-zoom-in');
    await page.waitForTimeout(400);
    assert((await ink(page, 'canvas.names', besideCenter)) > 100);
    await done();
  });

  test('names are at their locations where the view reaches beyond the pole', async () => {
    const { page, done } = await visit('layer=one&at=2/55/37.6', { viewport: { width: 1000, height: 1000 } });
    await named(page);
    // Moscow, at 55.75 N, is one pixel north of the center.
    assert((await ink(page, 'canvas.names', [494, 490, 506, 508])) > 10);
    await done();
  });

  test('names are few at a low zoom, and can be switched off', async () => {
    const { page, done } = await visit('layer=one&at=3/48/10');
    await named(page);
    const few = await names(page);
    assert(few >= 15 && few < 120, `${few}`);
    await page.click('#drawing summary');
    await page.uncheck('#names');
    assert.equal(await page.$('canvas.names'), null);
    assert.equal((await hash(page)).get('names'), 'off');
    await page.reload();
    await page.waitForSelector('#map[aria-busy="false"]');
    await page.waitForTimeout(300);
    assert.equal(await page.$('canvas.names'), null);
    assert.equal(await page.$('.leaflet-lines-pane canvas'), null);
    await done();
  });

  test('coasts are above the heat, and the attribution names the sources', async () => {
    const { page, done } = await visit('layer=one&at=5/48/0');
    await page.waitForSelector('.leaflet-lines-pane .leaflet-tile-loaded');
    const order = await page.evaluate(() => ['land', 'heat', 'lines', 'names'].map((name) => Number(document.querySelector(`.leaflet-${name}-pane`).style.zIndex)));
    assert.deepEqual(order, [...order].sort((a, b) => a - b));
    await page.waitForTimeout(500);
    const attribution = await page.textContent('.leaflet-control-attribution');
    assert(attribution.includes('Natural Earth') && attribution.includes('names: GeoNames (CC BY 4.0)'), attribution);
    await done();
  });

  test('outlines fade out beyond zoom 9, with a hint that can be closed for good', async () => {
    const { page, done } = await visit('layer=one&at=9/59.3/18');
    assert.equal(await page.$('.hint'), null);
    await page.click('.leaflet-control-zoom-in');
    await page.waitForSelector('.hint');
    assert.match(await page.textContent('.hint'), /page\.basemap/);
    assert((await page.$eval('#map', (map) => Number(map.style.getPropertyValue('--outlines')))) < 1);
    await page.click('.hint button');
    assert.equal(await page.$('.hint'), null);
    await page.click('.leaflet-control-zoom-in');
    await page.reload();
    await page.waitForSelector('#map[aria-busy="false"]');
    assert.equal(await page.$('.hint'), null);
    await done();
  });

  test('the page works without the files of outlines and names', async () => {
    const visitor = await chromium.page({}, [kiln.url]);
    await visitor.page.route(/places|countries/, (route) => route.abort());
    await visitor.page.goto(`${kiln.url}/#layer=one&at=4/59/18`);
    await visitor.page.waitForSelector('#map[aria-busy="false"]');
    await visitor.page.waitForSelector('.heat.leaflet-tile-loaded, .heat .leaflet-tile-loaded');
    assert(visitor.complaints.every((complaint) => complaint.includes('ERR_FAILED')), visitor.complaints.join('\n'));
    await visitor.page.context().close();
  });
});

describe('a picture with map and legend', () => {
  test('is downloaded with land, heat and legend', async () => {
    const { page, done } = await visit('layer=one&at=6/59.33/18.07', { acceptDownloads: true });
    await page.waitForSelector('.kiln-legend-bar');
    await page.click('#take summary');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#map-picture')]);
    assert.equal(download.suggestedFilename(), 'one-map.png');
    const bytes = readFileSync(await download.path());
    const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    assert.deepEqual([width, height], [2 * (1000 + 32), 2 * (700 + 44 + 84 + 16)]);
    const { at } = pixels(bytes);
    // The name of the town and coasts cross its dot.
    const near = Array.from({ length: 31 }, (_, i) => at(2 * (16 + 500) - 15 + i, 2 * (44 + 350) - 15 + i));
    const colors = { legend: at(2 * (16 + 200), 2 * (44 + 700 + 14 + 20)), corner: at(2, 2), sea: at(2 * (16 + 520), 2 * (44 + 600)) };
    assert(near.filter(isHot).length >= 8, `the town: ${near.join(' | ')}`);
    assert(colors.legend.some((part) => part < 200), `the legend: ${colors.legend}`);
    assert.deepEqual(colors.corner, [255, 255, 255]);
    assert(colors.sea[2] > colors.sea[0] && colors.sea[0] < 235, `the Baltic Sea: ${colors.sea}`);
    await done();
  });
});

describe('the time bar', () => {
  test('bars show the counts, and follow the filter', async () => {
    const { page, requested, done } = await visit('layer=days&at=2/20/0');
    await page.waitForSelector('#time-bars rect.in');
    const heights = () => page.$$eval('#time-bars rect', (all) => all.map((bar) => Number(bar.getAttribute('height'))).filter((height) => height > 0));
    assert.deepEqual(await heights(), Array(7).fill(26));
    await page.click('#categories summary');
    await page.uncheck('#category-list input[value="tram"]');
    await page.waitForFunction(() => [...document.querySelectorAll('#time-bars rect')].filter((bar) => Number(bar.getAttribute('height')) > 0).length === 4);
    assert(requested.some((url) => url.includes('bins=') && !url.includes('start=')));
    await done();
  });

  test('frames are round, and step by buttons and keys', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0');
    await page.waitForSelector('#times:not([hidden])');
    await page.selectOption('#frame-length', '1d');
    await page.waitForFunction(() => location.hash.includes('time='));
    assert.equal((await hash(page)).get('time'), '2024-03-01T00:00:00.000Z..2024-03-02T00:00:00.000Z');
    assert.equal(await text(page, 'range-value'), 'Fri 2024-03-01 UTC');
    await page.click('#next-frame');
    assert.equal(await text(page, 'range-value'), 'Sat 2024-03-02 UTC');
    await page.focus('#map');
    await page.keyboard.press('.');
    assert.equal(await text(page, 'range-value'), 'Sun 2024-03-03 UTC');
    for (let i = 0; i < 3; i++) await page.keyboard.press(',');
    assert.equal(await text(page, 'range-value'), 'Thu 2024-03-07 UTC', 'beyond the start it continues at the end');
    assert.equal(await page.$$eval('#time-bars rect.in', (all) => all.filter((bar) => Number(bar.getAttribute('height')) > 0).length), 1);
    await page.keyboard.press('.');
    assert.equal(await text(page, 'range-value'), 'Fri 2024-03-01 UTC');
    await page.waitForSelector('#map[aria-busy="false"]');
    // A link with a frame has its length.
    await page.reload();
    await page.waitForSelector('#times:not([hidden])');
    assert.equal(await page.$eval('#frame-length', (select) => select.value), '1d');
    await done();
  });

  test('speed changes how many frames are played', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0');
    await page.waitForSelector('#times:not([hidden])');
    await page.selectOption('#frame-length', '6h');
    const played = async (speed) => {
      await page.selectOption('#speed', speed);
      const seen = new Set();
      await page.click('#play');
      const end = Date.now() + 2500;
      while (Date.now() < end) {
        seen.add(await text(page, 'range-value'));
        await page.waitForTimeout(40);
      }
      await page.click('#play');
      return seen.size;
    };
    const [slow, fast] = [await played('0.5'), await played('4')];
    assert(slow >= 2 && slow <= 4 && fast > slow + 1, `${slow} and ${fast}`);
    await done();
  });
});

describe('the legend', () => {
  test('small densities are per a larger area, in the legend and under the cursor', async () => {
    const { page, done } = await visit('layer=sparse&at=2/20/0');
    await page.waitForSelector('.kiln-legend-unit');
    const unit = await page.textContent('.kiln-legend-unit');
    assert.match(unit, /^points per (1,000|million) km²$/);
    const labels = await page.$$eval('.kiln-legend-tick', (all) => all.map((tick) => tick.textContent));
    assert(labels.length >= 3 && labels.every((label) => /^[\d.]+$/.test(label)), labels.join(' '));
    const { span } = await kiln.json('sparse/legend.json?scheme=heat&curve=sqrt&zoom=2');
    assert.equal(span.unit, 'points per km²', 'the unit of the API stays');
    const factor = unit.includes('million') ? 1e6 : 1e3;
    assert(Math.max(...labels.map(Number)) <= factor * span.vmax * 1.001 && Math.max(...labels.map(Number)) > 0.2 * factor * span.vmax);
    await page.mouse.move(330, 350);
    await page.mouse.move(331, 351);
    await page.waitForSelector('#under:not([hidden])');
    assert((await text(page, 'under')).endsWith(unit), await text(page, 'under'));
    await done();
  });

  test('its height does not change while times play', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0');
    await page.waitForSelector('.histogram rect');
    const height = () => page.$eval('.kiln-legend', (legend) => legend.getBoundingClientRect().height);
    const first = await height();
    const heights = new Set();
    await page.click('#play');
    for (let i = 0; i < 40; i++) {
      heights.add(await height());
      await page.waitForTimeout(50);
    }
    await page.click('#play');
    assert.deepEqual([...heights], [first]);
    await done();
  });
});
