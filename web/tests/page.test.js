// The map page in a browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { isHot, middle, near, open } from './browser.js';
import { placeOf, serve, STOCKHOLM } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');

/** Opens the page with a state and waits until it is rendered. */
async function visit(state, options) {
  const visitor = await chromium.page(options, [kiln.url]);
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await shown(visitor.page);
  return visitor;
}

/** The position parameter of a location. */
const hash = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
const value = (page, id) => page.$eval(`#${id}`, (element) => element.value);
/** The unit and the factor of a legend whose values are up to `vmax`. */
function readable({ unit, vmax }) {
  if (vmax >= 0.01) return { unit, factor: 1 };
  return vmax >= 1e-5 ? { unit: unit.replace('per km²', 'per 1,000 km²'), factor: 1e3 } : { unit: unit.replace('per km²', 'per million km²'), factor: 1e6 };
}
const settled = (page) => page.waitForTimeout(250);
/** Parses the number at the start of a text. */
const amount = (text) => Number(text.split(' ')[0].replaceAll(',', '').replaceAll('−', '-'));

/** Takes a screenshot of the map without its controls, and without the lines and names above the heat. */
async function look(page) {
  const controls = (visibility) =>
    page.evaluate((visibility) => {
      for (const element of document.querySelectorAll('#panel, .leaflet-control-container, #times, #area, .leaflet-lines-pane, .leaflet-names-pane')) element.style.visibility = visibility;
    }, visibility);
  await controls('hidden');
  const seen = await chromium.look(page);
  await controls('');
  return seen;
}

const AT_STOCKHOLM = `at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`;
const CENTER = { x: 500, y: 350 };

describe('what is on screen', () => {
  for (const mode of ['tiles', 'picture']) {
    test(`${mode}: a town is at its location`, async () => {
      const { page, done } = await visit(`layer=one&${AT_STOCKHOLM}&mode=${mode}`);
      near(middle(await look(page), isHot), CENTER);
      await page.mouse.move(500, 350);
      await page.mouse.down();
      await page.mouse.move(400, 290, { steps: 4 });
      await page.mouse.up();
      await page.waitForTimeout(700);
      await shown(page);
      near(middle(await look(page), isHot), { x: 400, y: 290 });
      await done();
    });
  }

  test('on a high-density screen tiles have twice the pixels and dots keep their size', async () => {
    const plain = await visit(`layer=one&${AT_STOCKHOLM}`);
    const usual = middle(await look(plain.page), isHot);
    await plain.done();
    const { page, requested, done } = await visit(`layer=one&${AT_STOCKHOLM}`, { deviceScaleFactor: 2 });
    const tiles = requested.filter((url) => /\/one\/\d+\/\d+\/\d+/.test(url));
    assert(tiles.length > 0 && tiles.every((url) => url.includes('@2x.png')), tiles.join('\n'));
    const dense = middle(await look(page), isHot);
    near(dense, { x: 1000, y: 700 }, 2.5);
    assert(Math.abs(dense.count / usual.count / 4 - 1) < 0.1, `${dense.count} of ${usual.count}`);
    await done();
  });

  test('land tiles have no seams at a device pixel ratio of 1.5', async () => {
    // Siberia, far from coasts and borders. The edges of tiles are at half pixels.
    const { page, done } = await visit('layer=one&at=7/65/100.01', { deviceScaleFactor: 1.5 });
    await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name, responseEnd }) => name.includes('countries-50m') && responseEnd));
    await page.waitForTimeout(500);
    const seen = await look(page);
    const land = seen.at(700, 300);
    const line = [...Array(seen.width).keys()].map((x) => seen.at(x, 300));
    line.push(...Array.from({ length: seen.height }, (_, y) => seen.at(700, y)));
    // A seam would show the color of the sea. Rounded edges are allowed.
    const others = line.filter((color) => color.some((part, i) => Math.abs(part - land[i]) > 1));
    assert.deepEqual(others, []);
    await done();
  });

  test('dots are not clipped at the antimeridian', async () => {
    for (const mode of ['tiles', 'picture']) {
      for (const lng of [179.5, -179.5]) {
        const { page, done } = await visit(`layer=fiji&at=7/-16.85/${lng}&mode=${mode}`);
        const pixels = (Math.abs(180 - Math.abs(lng)) / 360) * 256 * 2 ** 7;
        near(middle(await look(page), isHot), { x: 500 + Math.sign(lng) * pixels, y: 350 });
        await done();
      }
    }
  });

  test('a picture of the view crosses the antimeridian, with copies of the world on both sides', async () => {
    const { page, done } = await visit('layer=fiji&at=2/0/180&mode=picture');
    const found = middle(await look(page), isHot);
    assert(Math.abs(found.x - 500) < 1.5, `${found.x}`);
    await done();
  });
});

describe('a window wider than the world', () => {
  for (const mode of ['tiles', 'picture']) {
    test(`${mode}: heat reaches both edges of the view`, async () => {
      const { page, done } = await visit(`layer=fiji&at=1/0/60&mode=${mode}`, { viewport: { width: 1300, height: 500 } });
      const seen = await look(page);
      for (const turn of [-1, 0, 1]) {
        const x = Math.round(650 + (((180 - 60) / 360 + turn) * 512));
        if (x < 20 || x > 1280) continue;
        const found = middle({ width: 40, height: 500, at: (column, row) => seen.at(x - 20 + column, row) }, isHot);
        assert(found.count > 20 && Math.abs(found.x - 20) < 1.5, `${x}: ${JSON.stringify(found)}`);
      }
      await done();
    });
  }
});

describe('the legend and the values', () => {
  const legend = (page) => page.$$eval('.kiln-legend-tick', (ticks) => ticks.map((tick) => tick.textContent));

  test('the legend is that of the server and follows style and zoom', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0');
    const expected = async (query) => (await kiln.json(`days/legend.json?scheme=heat&${query}`)).span;
    const unit = () => page.textContent('.kiln-legend-unit');
    await page.waitForSelector('.kiln-legend-tick');
    const first = await legend(page);
    const span = await expected('zoom=3&radius=20&curve=sqrt');
    assert.equal(await unit(), readable(span).unit);
    const last = (ticks) => Number(ticks.at(-1).replaceAll(',', '').replace('−', '-'));
    assert(first.length >= 3 && last(first) <= 1.0001 * readable(span).factor * span.vmax, first.join());

    await page.click('#drawing summary');
    await page.selectOption('#agg', 'count');
    await shown(page);
    await page.waitForFunction(() => document.querySelector('.kiln-legend-unit').textContent.startsWith('points'));
    assert.equal(await unit(), readable(await expected('zoom=3&radius=20&curve=sqrt&agg=count')).unit);

    const before = await legend(page);
    await page.focus('#map');
    await page.keyboard.press('+');
    await page.waitForFunction((before) => [...document.querySelectorAll('.kiln-legend-tick')].map((tick) => tick.textContent).join() !== before, before.join());
    const deeper = await expected('zoom=4&radius=20&curve=sqrt&agg=count');
    assert(last(await legend(page)) <= 1.0001 * readable(deeper).factor * deeper.vmax);
    await done();
  });

  test('a locked span applies at every zoom', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0');
    await page.waitForSelector('.kiln-legend-tick');
    await page.click('#drawing summary');
    await page.check('#lock');
    await shown(page);
    const locked = (await hash(page)).get('span');
    const before = await legend(page);
    await page.focus('#map');
    await page.keyboard.press('+');
    await settled(page);
    await shown(page);
    assert.deepEqual(await legend(page), before);
    assert.equal((await hash(page)).get('span'), locked);
    await done();
  });

  test('bars show the histogram of the values', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0');
    await page.waitForSelector('.histogram rect');
    const expected = await kiln.json('days/statistics?zoom=3&scheme=heat&radius=20&curve=sqrt');
    const heights = await page.$$eval('.histogram rect', (bars) => bars.map((bar) => Number(bar.getAttribute('height'))));
    assert.equal(heights.length, expected.zooms[0].histogram.length);
    const [most, highest] = [expected.zooms[0].histogram, heights].map((list) => list.indexOf(Math.max(...list)));
    assert.equal(highest, most);
    await done();
  });

  /** Requests the value that the page requested last. Its location must be within about a pixel of `place`. */
  async function requestedValue(requested, place, layer, query) {
    const url = requested.findLast((url) => url.includes(`/${layer}/point/`));
    const [lng, lat] = /point\/([^?]+)/.exec(url)[1].split(',').map(Number);
    assert(Math.hypot(lng - place.lng, lat - place.lat) < 0.05, url);
    return kiln.json(`${layer}/point/${lng},${lat}?${query}`);
  }

  test('a click shows the value of the server', async () => {
    const { page, requested, done } = await visit(`layer=days&at=5/${placeOf(1).lat}/${placeOf(1).lng}`);
    await page.waitForSelector('#categories:not([hidden])');
    await page.waitForSelector('.kiln-legend-tick');
    await page.mouse.click(500, 350);
    const text = await (await page.waitForSelector('.kiln-value')).innerText();
    const expected = await requestedValue(requested, placeOf(1), 'days', 'z=5&scheme=heat&radius=20&curve=sqrt&categories=5');
    const { unit, factor } = readable((await kiln.json('days/legend.json?zoom=5&scheme=heat&radius=20&curve=sqrt')).span);
    assert.equal(amount(text), Number((factor * expected.value).toPrecision(4)));
    assert(text.includes(unit) && text.includes(`${expected.points} points within`), text);
    assert(text.includes(`At or above ${Math.floor(expected.percentile)} %`), text);
    assert(/tram\s+3/.test(text), text);
    await done();
  });

  test('the value under the cursor is shown', async () => {
    const { page, requested, done } = await visit(`layer=one&${AT_STOCKHOLM}`);
    await page.waitForSelector('.kiln-legend-tick');
    await page.mouse.move(500, 350);
    await page.waitForFunction(() => !document.getElementById('under').hidden);
    const text = await page.textContent('#under');
    const { unit, factor } = readable((await kiln.json('one/legend.json?zoom=6&scheme=heat&radius=20&curve=sqrt')).span);
    assert(text.endsWith(` ${unit}`), text);
    const expected = await requestedValue(requested, STOCKHOLM, 'one', 'z=6&scheme=heat&radius=20&curve=sqrt');
    assert.equal(amount(text), Number((factor * expected.value).toPrecision(4)));
    await page.mouse.move(500, 650);
    await page.waitForFunction(() => document.getElementById('under').textContent.startsWith('0 people'));
    await page.mouse.move(900, 100); // off the map
    await page.waitForFunction(() => document.getElementById('under').hidden);
    await done();
  });
});

describe('by hand', () => {
  test('the URL contains the state and restores it', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0');
    await page.selectOption('#scheme', 'viridis');
    await page.selectOption('#curve', 'log');
    await page.click('#drawing summary');
    await page.selectOption('#normalize', 'max');
    await page.fill('#radius', '33');
    await page.fill('#opacity', '60');
    await page.click('#categories summary');
    await page.uncheck('#category-list input[value="bus"]');
    await settled(page);
    await shown(page);
    const state = await hash(page);
    assert.deepEqual(
      ['layer', 'scheme', 'curve', 'normalize', 'radius', 'opacity', 'categories'].map((name) => state.get(name)),
      ['days', 'viridis', 'log', 'max', '33', '60', '["tram"]'],
    );
    const again = await visit((await page.evaluate(() => location.hash)).slice(1));
    for (const id of ['layer', 'scheme', 'curve', 'normalize', 'radius', 'opacity']) {
      assert.equal(await value(again.page, id), await value(page, id), id);
    }
    await again.page.click('#categories summary');
    await again.page.waitForSelector('#category-list input[value="tram"]:checked');
    assert(again.requested.some((url) => /days\/3\/.*category=%5B%22tram%22%5D/.test(url)), again.requested.join('\n'));
    await again.done();
    // A URL changed by hand, or by the back button.
    await page.evaluate(() => (location.hash = 'layer=one&at=4/10/10'));
    await page.waitForFunction(() => document.getElementById('layer').value === 'one');
    await shown(page);
    assert.equal(await value(page, 'scheme'), 'heat');
    await done();
  });

  test('an invalid URL shows the defaults', async () => {
    const { page, done } = await visit('layer=nowhere&at=x/y/z&radius=-9&opacity=many&span=5..1&categories=%7B&scheme=none&time=a..b');
    assert.deepEqual(await Promise.all(['layer', 'scheme', 'opacity'].map((id) => value(page, id))), ['days', 'heat', '80']);
    await done();
  });

  test('a selected category is rendered alone', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0&categories=["bus"]');
    const seen = await look(page);
    const pixels = 256 * 8;
    const hotAt = (day) => {
      const x = Math.round(500 + (placeOf(day).lng / 360) * pixels);
      return middle({ width: 20, height: 20, at: (column, row) => seen.at(x - 10 + column, 340 + row) }, isHot).count;
    };
    assert(hotAt(4) > 20 && hotAt(3) === 0 && hotAt(5) === 0, [3, 4, 5].map(hotAt).join());
    await done();
  });

  test('times play, and all frames share a color scale', async () => {
    const { page, requested, done } = await visit('layer=days&at=2/20/0');
    await page.waitForSelector('#times:not([hidden])');
    const all = await page.textContent('#range-value');
    assert.match(all, /2024-03-01 12:00 – 03-07 12:00 UTC/);
    requested.length = 0;
    await page.click('#play');
    await page.waitForTimeout(3200);
    await page.click('#play');
    assert.equal(await page.getAttribute('#play', 'aria-pressed'), 'false');
    const tiles = requested.filter((url) => /days\/2\/\d+\/\d+/.test(url)).map((url) => new URL(url).searchParams);
    const frames = new Set(tiles.map((query) => `${query.get('start')} ${query.get('end')}`));
    const spans = new Set(tiles.map((query) => `${query.get('vmin')} ${query.get('vmax')}`));
    assert(frames.size >= 3, [...frames].join('\n'));
    assert.equal(spans.size, 1);
    const whole = (await kiln.json('days/legend.json?scheme=heat&radius=20&curve=sqrt&zoom=2')).span;
    assert(Math.abs(Number([...spans][0].split(' ')[1]) / whole.vmax - 1) < 1e-9);
    assert.notEqual(await page.textContent('#range-value'), all);
    assert.match((await hash(page)).get('time'), /^2024-03-0\dT.*\.\.2024-03-0\dT/);
    await page.click('#all-times');
    await shown(page);
    assert.equal((await hash(page)).get('time'), null);
    await done();
  });

  test('a comparison shows the earlier view beside the current one', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0&categories=["bus"]');
    await page.click('#drawing summary');
    await page.check('#compare');
    await page.click('#categories summary');
    await page.hover('.category:has(input[value="tram"])');
    await page.click('button[aria-label="Only tram"]');
    await page.fill('#swipe-at', '45');
    await settled(page);
    await shown(page);
    await page.waitForTimeout(600);
    const seen = await look(page);
    const pixels = 256 * 8;
    const hotAt = (day) => {
      const x = Math.round(500 + (placeOf(day).lng / 360) * pixels);
      return middle({ width: 20, height: 20, at: (column, row) => seen.at(x - 10 + column, 340 + row) }, isHot).count > 20;
    };
    // Buses on even days to the left of the divider, trams on odd days to the right.
    assert.deepEqual([1, 2, 4, 5].map(hotAt), [false, true, false, true]);
    const state = await hash(page);
    assert(state.get('before').includes('categories') && state.get('swipe') === '45');
    // Each side has its own legend.
    const titles = await page.$$eval('.kiln-legend-title', (titles) => titles.map((title) => title.textContent));
    assert.deepEqual(titles, ['Before', 'Seven days']);
    await page.uncheck('#compare');
    await page.waitForSelector('#swipe', { state: 'hidden' });
    assert.equal(await page.locator('.kiln-legend').count(), 1);
    assert.equal((await hash(page)).get('before'), null);
    await done();
  });

  test('the current view can be downloaded', async () => {
    const { page, done } = await visit(`layer=one&${AT_STOCKHOLM}&scheme=fire`);
    await page.click('#take summary');
    for (const [id, type] of [['png', 'image/png'], ['tif', 'image/tiff']]) {
      const reply = await fetch(await page.$eval(`#${id}`, (link) => link.href));
      assert.deepEqual([reply.status, reply.headers.get('content-type')], [200, type]);
    }
    await done();
  });
});

describe('for everybody', () => {
  test('the keyboard moves the map and reaches every control, and all controls have names', async () => {
    const { page, done } = await visit('layer=days&at=3/20/0');
    await page.focus('#map');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => !location.hash.includes('at=3/20/0'));
    const nameless = await page.evaluate(() => {
      const label = (element) => element.getAttribute('aria-label') || element.title || element.labels?.[0]?.textContent.trim() || element.textContent.trim();
      return [...document.querySelectorAll('a, button, input, select, summary')].filter((element) => !label(element)).map((element) => element.outerHTML);
    });
    assert.deepEqual(nameless, []);
    await page.focus('#fold');
    const reached = new Set();
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id));
    }
    for (const id of ['layer', 'scheme', 'curve', 'radius', 'opacity', 'play', 'from', 'to']) assert(reached.has(id), id);
    await done();
  });

  test('a phone shows the map first and the controls on demand', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    assert.equal(await page.isVisible('#controls'), false);
    await page.tap('#fold');
    assert.equal(await page.isVisible('#scheme'), true);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 390, `${wide}`);
    await page.tap('#fold');
    const boxes = await Promise.all(['.kiln-legend', '#times', '#panel'].map((name) => page.locator(name).boundingBox()));
    for (const { x, width } of boxes) assert(x >= 0 && x + width <= 390, JSON.stringify(boxes));
    assert(boxes[0].y + boxes[0].height <= boxes[1].y, 'the legend lies above the times');
    await done();
  });

  test('dark and light', async () => {
    const brightness = async (visitor) => (await look(visitor.page)).at(500, 650).reduce((sum, part) => sum + part, 0) / 3;
    const [light, dark] = [await visit('layer=one&at=3/0/-30'), await visit('layer=one&at=3/0/-30', { colorScheme: 'dark' })];
    assert((await brightness(light)) > 190 && (await brightness(dark)) < 60);
    for (let i = 0; i < 2; i++) await light.page.click('#theme');
    await light.page.waitForTimeout(300);
    assert((await brightness(light)) < 60);
    await light.page.reload();
    await shown(light.page);
    assert((await brightness(light)) < 60, 'the browser remembers');
    await light.done();
    await dark.done();
  });

  test('the first view loads at most 260 kB, with outlines and names, and shows heat', async () => {
    const { page, requested, done } = await visit('layer=days&at=3/20/0');
    await page.waitForSelector('canvas.names[data-count]');
    const files = requested.filter((url) => url === `${kiln.url}/` || url.includes('/assets/'));
    assert(files.some((url) => url.includes('places')) && files.some((url) => url.includes('countries-110m')), files.join('\n'));
    const firstTile = requested.findIndex((url) => /\/days\/3\/\d+\/\d+/.test(url));
    assert(firstTile >= 0 && firstTile < requested.findIndex((url) => url.includes('places')), 'the heat comes before the names');
    assert(files.some((url) => url.endsWith('.js')) && files.some((url) => url.endsWith('.css')), files.join('\n'));
    let bytes = 0;
    for (const url of files) bytes += gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length;
    assert(bytes <= 260_000, `${bytes}`);
    assert(middle(await look(page), isHot).count > 20);
    await done();
  });

  test('a failed connection to the server is reported', async () => {
    const own = await serve();
    const { page } = await chromium.page({}, [own.url]);
    await page.goto(`${own.url}/#layer=one&at=3/20/0`);
    await shown(page);
    own.stop();
    await page.selectOption('#scheme', 'fire');
    await page.waitForSelector('#status.error');
    assert.match(await page.textContent('#status'), /cannot be reached/);
    await page.context().close();
  });

  test('the configured basemap is below the heat', async () => {
    const own = await serve(`\n[page]\nbasemap = "/one/{z}/{x}/{y}.png"\nattribution = "<b>Base</b> maps"\n`);
    const { page, requested, done } = await chromium.page({}, [own.url]);
    await page.goto(`${own.url}/#layer=days&at=3/20/0`);
    await shown(page);
    await page.waitForSelector('.leaflet-land-pane .leaflet-tile-loaded');
    assert(requested.some((url) => url.includes('/one/3/')) && !requested.some((url) => url.includes('countries')));
    assert.match(await page.textContent('.leaflet-control-attribution'), /Base maps/);
    await done();
    own.stop();
  });
});
