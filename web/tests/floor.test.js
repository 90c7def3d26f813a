// The page of layers in meters, and the 3-D page, in a browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { isHot, middle, open } from './browser.js';
import { HOSTS, withoutInternet } from './cdn.js';
import { FLOORS, serve, site, STOCKHOLM } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(FLOORS), open({ webgl: true })]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');
/** 16 pixels per meter, with the middle of the floor in the middle of the window. */
const AT = 'at=4/20/12';
const WEEKS = { W02: '2024-01-08T00:00:00Z/2024-01-15T00:00:00Z', W04: '2024-01-22T00:00:00Z/2024-01-29T00:00:00Z' };

async function visit(state, options, hosts = [kiln.url]) {
  const visitor = await chromium.page(options, hosts);
  await visitor.page.goto(`${hosts[0]}/#${state}`);
  await shown(visitor.page);
  return visitor;
}

const hash = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
const status = (page) => page.textContent('#status');
/** The texts of the cells of the table of rooms, row by row. */
const table = (page) => page.$$eval('#rooms-table tbody tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
const foot = (page) => page.$$eval('#rooms-table tfoot tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
const amount = (text) => Number(text.replaceAll(',', '').replaceAll('−', '-').replace(/[^0-9.-]/g, ''));
/** Waits until the page shows what a change requests. */
async function settle(page) {
  await page.waitForTimeout(250);
  await shown(page);
}
const grid = (query) => kiln.json(`office/grid?resolution=0.5&rooms=true&category=floor-1&${query}`);
const windowOf = (week) => {
  const [start, end] = WEEKS[week].split('/');
  return `start=${start}&end=${end}`;
};

async function look(page) {
  const controls = (visibility) =>
    page.evaluate((visibility) => {
      for (const element of document.querySelectorAll('#panel, .leaflet-control-container, #times, .leaflet-rooms-pane')) element.style.visibility = visibility;
    }, visibility);
  await controls('hidden');
  const seen = await chromium.look(page);
  await controls('');
  return seen;
}

describe('the floor on screen', () => {
  test('the plan is at its bounds in meters, and the cells are at their positions', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1&scheme=fire&curve=linear&opacity=100`);
    const box = await page.locator('img.plan').boundingBox();
    const expected = { x: 500 - 20 * 16, y: 350 - 12 * 16, width: 40 * 16, height: 24 * 16 };
    for (const side of ['x', 'y', 'width', 'height']) assert(Math.abs(box[side] - expected[side]) <= 1, JSON.stringify(box));
    const { array_cells: cells } = await grid('');
    const [x, y] = cells.reduce((best, cell) => (cell[2] > best[2] ? cell : best));
    const seen = await look(page);
    const at = [Math.round(500 + (x - 20) * 16), Math.round(350 - (y - 12) * 16)];
    // The last color of the scheme is white, and that of the cell is it.
    assert(seen.at(...at).every((part) => part > 245), `${x}, ${y}: ${seen.at(...at)}`);
    // The kitchen's north-east corner has no detection: the plan is visible.
    assert.equal(cells.some(([x, y]) => Math.abs(x - 39.75) < 0.1 && Math.abs(y - 14.25) < 0.1), false);
    await done();
  });

  test('the heat map is tiles of the plane, whose rows north of the origin are negative', async () => {
    const { page, requested, done } = await visit(`layer=office&${AT}&space=floor-1&view=heat`);
    const tiles = requested.filter((url) => /\/office\/4\//.test(url));
    assert(tiles.length >= 6 && tiles.some((url) => /\/office\/4\/1\/-1(@2x)?\.png/.test(url)), tiles.join('\n'));
    await page.waitForSelector('.leaflet-heat-pane .leaflet-tile-loaded');
    assert(middle(await look(page), isHot).count > 20);
    await page.waitForFunction(() => /^points per m²$/.test(document.querySelector('.kiln-legend-unit')?.textContent));
    await done();
  });

  test('the lines of contours are darker than the plan and lighter than a dark one', async () => {
    for (const week of ['', '&weeks=2024-W02..2024-W04&zone=UTC']) {
      const { page, requested, done } = await visit(`layer=office&${AT}&space=floor-1&view=contours${week}`);
      await page.waitForSelector('img.picture');
      const url = new URL(requested.find((url) => url.includes('picture=contours')));
      const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      for (const color of url.searchParams.get('gradient').split(',')) {
        assert.match(color, /^#[0-9a-f]{6}ff$/);
        const [r, g, b] = [1, 3, 5].map((at) => linear(parseInt(color.slice(at, at + 2), 16) / 255));
        const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        assert(luminance > 0.08 && luminance < 0.29, `${color}: ${luminance}`);
      }
      // The lines are as wide at all zooms: the picture has 0.75 pixels per pixel of the screen.
      assert.equal(url.searchParams.get('size'), '480x288');
      await page.evaluate(() => (location.hash = location.hash.replace('at=4/', 'at=5/')));
      await page.waitForFunction(() => document.querySelector('img.picture')?.naturalWidth === 960);
      await done();
    }
  });

  test('contours are a picture by the server', async () => {
    const { page, requested, done } = await visit(`layer=office&${AT}&space=floor-1&view=contours`);
    await page.waitForSelector('img.picture');
    assert(requested.some((url) => url.includes('/office/grid?') && url.includes('picture=contours')));
    const box = await page.locator('img.picture').boundingBox();
    assert(Math.abs(box.x - 180) <= 1 && Math.abs(box.width - 640) <= 1, JSON.stringify(box));
    await done();
  });

  test('the value under the cursor is that of the cell, per m²', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1`);
    const { array_cells: cells } = await grid('');
    const [x, y, value] = cells.reduce((best, cell) => (cell[2] > best[2] && cell[0] < 25 ? cell : best));
    await page.mouse.move(500 + (x - 20) * 16, 350 - (y - 12) * 16);
    assert.equal(await page.textContent('#under'), `${value.toLocaleString('en')} detections · ${(value / 0.25).toLocaleString('en')} per m²`);
    await page.mouse.click(500 + (x - 20) * 16, 350 - (y - 12) * 16);
    assert.match(await page.textContent('.kiln-popup'), /per m²/);
    await done();
  });

  test('the scale bar is in meters, and without a position the floor fits the window', async () => {
    const { page, done } = await visit('layer=office');
    assert.match(await page.textContent('.leaflet-control-scale-line'), /^\d+ m$/);
    const [box, panel] = [await page.locator('img.plan').boundingBox(), await page.locator('#panel').boundingBox()];
    assert(box.x >= 0 && box.y >= 0 && box.x + box.width <= panel.x && box.width > 400, JSON.stringify(box));
    await done();
  });
});

describe('rooms, hours and weeks', () => {
  test('the sums of rooms are those of the API', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1`);
    const { rooms, outside, metadata } = await grid('');
    const rows = await table(page);
    assert.deepEqual(rows.map(([name]) => name), ['Boardroom', 'Kitchen', 'Open office']);
    rows.forEach(([, sum, density, share], i) => {
      assert.equal(amount(sum), rooms[i].value);
      assert(Math.abs(amount(density) / rooms[i].value_per_m2 - 1) < 0.01, density);
      assert(Math.abs(amount(share) - (100 * rooms[i].value) / metadata.total_detections) < 0.1, share);
    });
    const decimals = rows.map(([, , density]) => density.split('.')[1]?.length ?? 0);
    assert.equal(new Set(decimals).size, 1, rows.map(([, , density]) => density).join(' '));
    const [rest, total] = await foot(page);
    assert.deepEqual([rest[0], amount(rest[1]), total[0], amount(total[1])], ['Outside rooms', outside.value, 'Total', metadata.total_detections]);
    const shares = [...rows, rest].map((row) => Math.round(10 * amount(row[3])));
    assert.equal(shares.reduce((sum, share) => sum + share), 1000, 'shares sum to 100 %');
    assert.equal(total[3], '100.0 %');
    await page.waitForFunction((count) => document.querySelector('#about').textContent.startsWith(`${count} of `), metadata.total_detections.toLocaleString('en'));
    assert((await status(page)).startsWith(metadata.total_detections.toLocaleString('en')));
    await page.hover('#rooms-table tbody tr:nth-child(2)');
    assert.equal(await page.locator('path.room.is-pointed').count(), 1);
    await page.mouse.move(300, 300);
    await page.focus('#rooms-table tbody tr:nth-child(3)');
    assert.equal(await page.locator('path.room.is-pointed').count(), 1, 'a room with the focus');
    await done();
  });

  test('two weeks are compared: rooms, hours, colors and the URL', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1&zone=UTC`);
    await page.check('#compare-weeks');
    // The data are from Tuesday, 2 January, to Wednesday, 31 January.
    assert.equal((await hash(page)).get('weeks'), '2024-W03..2024-W04');
    const weeks = await page.$$eval('#week-b option', (options) => options.map(({ value, textContent }) => [value, textContent.includes('(incomplete)')]));
    assert.deepEqual(weeks, [['2024-W01', true], ['2024-W02', false], ['2024-W03', false], ['2024-W04', false], ['2024-W05', true]]);
    assert.equal(await page.textContent('#week-ranges'), 'B − A: 22 – 28 Jan 2024 minus 15 – 21 Jan 2024');
    await page.selectOption('#week-a', '2024-W05');
    assert.match(await page.textContent('#week-ranges'), /minus 29 Jan – 4 Feb 2024 \(incomplete\)$/);
    await page.selectOption('#week-a', '2024-W02');
    await page.selectOption('#week-b', '2024-W04');
    await settle(page);
    const [before, after] = await Promise.all([grid(windowOf('W02')), grid(windowOf('W04'))]);
    const rows = await table(page);
    rows.forEach(([, a, b, difference, ratio], i) => {
      const [was, is] = [before.rooms[i].value, after.rooms[i].value];
      assert.deepEqual([amount(a), amount(b), amount(difference)], [was, is, is - was]);
      assert(Math.abs(amount(ratio) / (is / was) - 1) < 0.01, ratio);
    });
    assert.equal(await page.textContent('.kiln-legend-title'), 'Difference, B − A');
    const [rest, total] = await foot(page);
    assert.deepEqual(rest.slice(1, 4).map(amount), [before.outside.value, after.outside.value, after.outside.value - before.outside.value]);
    assert.deepEqual(total.slice(1, 3).map(amount), [before.metadata.total_detections, after.metadata.total_detections]);
    assert.match(await page.getAttribute('.profile', 'aria-label'), /B − A/);
    assert.equal(await page.isVisible('#times'), false);
    // A quieter week: blue prevails.
    const seen = await look(page);
    const [blue, red] = [middle(seen, ([r, , b]) => b > r + 60).count, middle(seen, ([r, , b]) => r > b + 60).count];
    assert(blue > 5 * red && blue > 500, `${blue} blue pixels, ${red} red ones`);
    assert.equal((await hash(page)).get('weeks'), '2024-W02..2024-W04');

    await page.click('#swap');
    await settle(page);
    assert.equal(amount((await table(page))[0][3]), before.rooms[0].value - after.rooms[0].value);
    await page.reload();
    await shown(page);
    assert.equal((await hash(page)).get('weeks'), '2024-W04..2024-W02');
    assert.equal(await page.isChecked('#compare-weeks'), true);
    await done();
  });

  test('the difference is a heat map or contours, too', async () => {
    const { page, requested, done } = await visit(`layer=office&${AT}&space=floor-1&weeks=2024-W02..2024-W04&zone=UTC&view=heat`);
    const url = requested.find((url) => url.includes('picture=heat'));
    assert(url?.includes('compare=') && new URL(url).searchParams.get('start').startsWith('2024-01-22'), url);
    await page.waitForSelector('img.picture');
    await page.check('#view-contours', { force: true });
    await settle(page);
    assert(requested.some((url) => url.includes('picture=contours') && url.includes('compare=')));
    await done();
  });

  test('weeks and hours are those of the time zone', async () => {
    const { page, requested, done } = await visit(`layer=office&${AT}&space=floor-1&weeks=2024-W02..2024-W04&zone=Europe/Stockholm`);
    const grids = requested.filter((url) => url.includes('/grid?')).map((url) => new URL(url).searchParams);
    assert.deepEqual(grids.map((query) => query.get('start')).sort(), ['2024-01-07T23:00:00.000Z', '2024-01-21T23:00:00.000Z']);
    assert(grids.every((query) => query.get('tz') === 'Europe/Stockholm'));
    await done();
  });

  test('the hours of the week are those of the API', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1&zone=UTC`);
    const { profile } = await grid('profile=hour_of_week&tz=UTC');
    const titles = await page.$$eval('.profile i', (cells) => cells.map(({ title }) => title));
    assert.equal(titles.length, 168);
    assert.deepEqual(titles.map((title) => amount(title.split(': ')[1])), profile.values.map((value) => value ?? 0));
    assert.match(titles[24 + 9], /^Tuesday 09:00: /);
    await done();
  });

  test('a space is selected', async () => {
    const { page, done } = await visit(`layer=office&${AT}`);
    assert.equal(await page.$eval('#space', ({ value }) => value), 'floor-1');
    await page.selectOption('#space', 'floor-2');
    await settle(page);
    const { metadata } = await kiln.json('office/grid?resolution=0.5&category=floor-2');
    assert((await status(page)).startsWith(metadata.total_detections.toLocaleString('en')));
    assert.equal((await hash(page)).get('space'), 'floor-2');
    await page.selectOption('#space', '');
    await settle(page);
    await page.reload();
    await shown(page);
    const all = await kiln.json('office/grid?resolution=0.5');
    assert((await status(page)).startsWith(all.metadata.total_detections.toLocaleString('en')), 'all spaces');
    await done();
  });
});

describe('other states', () => {
  test('a layer without times, rooms and plan', async () => {
    const { page, done } = await visit('layer=bare');
    assert.equal(await page.isVisible('#no-times'), true);
    for (const id of ['times', 'weeks', 'profile', 'space-field']) assert.equal(await page.isVisible(`#${id}`), false, id);
    assert.match(await page.textContent('#rooms-table'), /no rooms/);
    assert.match(await status(page), /^3 detections in 2 cells/);
    await done();
  });

  test('an unknown layer or space is reported until another one is selected', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=cellar`);
    assert.equal(await page.textContent('#notice'), 'There is no space `cellar`; showing floor-1.');
    assert.equal((await hash(page)).get('space'), 'floor-1');
    await page.selectOption('#space', 'floor-2');
    assert.equal(await page.isVisible('#notice'), false);
    await page.evaluate(() => (location.hash = location.hash.replace('floor-2', 'attic')));
    await page.waitForFunction(() => document.querySelector('#notice').textContent === 'There is no space `attic`; showing floor-1.');
    await done();
    const other = await visit('layer=nolayer');
    assert.match(await other.page.textContent('#notice'), /^There is no layer `nolayer`; showing .+\.$/);
    await other.done();
  });

  test('a period without detections', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1&time=2024-01-06T00:00:00Z..2024-01-08T00:00:00Z`);
    assert.match(await status(page), /No detections in this period/);
    assert.equal((await table(page))[0][1], '0');
    await done();
  });

  test('a failed connection and an invalid request are reported, and no old picture stays', async () => {
    const own = await serve(`${FLOORS}\n[limits]\ncells = 1000\n`);
    const { page } = await chromium.page({}, [own.url]);
    await page.goto(`${own.url}/#layer=office&${AT}&cell=0.25`);
    await page.waitForSelector('#status.error');
    assert.match(await status(page), /1000 cells/);
    await page.selectOption('#cell', '1');
    await page.waitForFunction(() => !document.querySelector('#status.error'));
    await shown(page);
    own.stop();
    await page.selectOption('#cell', '2');
    await page.waitForSelector('#status.error');
    assert.match(await status(page), /cannot be reached/);
    assert.equal(await page.locator('img.cells').count(), 0);
    await page.context().close();
  });

  test('the page switches between a floor and the globe', async () => {
    const { page, done } = await visit(`layer=office&${AT}`);
    await page.selectOption('#layer', 'one');
    await page.waitForFunction(() => !document.body.classList.contains('floor'));
    await shown(page);
    assert.equal((await hash(page)).get('layer'), 'one');
    await page.selectOption('#layer', 'office');
    await page.waitForSelector('body.floor');
    await shown(page);
    assert.equal((await hash(page)).get('layer'), 'office');
    await done();
  });
});

describe('for everybody', () => {
  test('a narrow phone has no horizontal scroll, and the map comes first', async () => {
    const { page, done } = await visit('layer=office', { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true });
    assert.equal(await page.isVisible('#controls'), false);
    await page.tap('#fold');
    await page.evaluate(() => document.querySelector('#compare-weeks').click());
    await settle(page);
    const widths = await page.evaluate(() => [document.documentElement, document.querySelector('#controls'), document.querySelector('#rooms-table')].map((box) => [box.scrollWidth, box.clientWidth]));
    for (const [needed, has] of widths) assert(needed <= has, JSON.stringify(widths));
    await done();
  });

  test('the keyboard reaches every control, and all controls have names', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-1`);
    await page.focus('#map');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => !location.hash.includes('at=4/20/12'));
    const nameless = await page.evaluate(() => {
      const label = (element) => element.getAttribute('aria-label') || element.title || element.labels?.[0]?.textContent.trim() || element.textContent.trim();
      return [...document.querySelectorAll('a, button, input, select, summary')].filter((element) => !label(element)).map((element) => element.outerHTML);
    });
    assert.deepEqual(nameless, []);
    await page.focus('#fold');
    const reached = new Set();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id));
    }
    for (const id of ['layer', 'space', 'view-cells', 'cell', 'surface', 'compare-weeks', 'zone', 'scheme', 'opacity', 'play']) assert(reached.has(id), id);
    await page.focus('#view-cells');
    await page.keyboard.press('ArrowRight');
    await settle(page);
    assert.equal((await hash(page)).get('view'), 'heat');
    await done();
  });

  test('the plan is dark in the dark theme', async () => {
    const brightness = async ({ page }) => (await look(page)).at(380, 500).reduce((sum, part) => sum + part, 0) / 3;
    const [light, dark] = [await visit(`layer=office&${AT}`), await visit(`layer=office&${AT}`, { colorScheme: 'dark' })];
    assert((await brightness(light)) > 190 && (await brightness(dark)) < 80);
    await light.done();
    await dark.done();
  });
});

describe('the 3-D page', () => {
  const ready = (page) => page.waitForSelector('body[data-ready]', { timeout: 20_000 });

  test('bars and a surface stand on the plan, and the keyboard rotates them', async () => {
    const { page, done } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/office/surface#space=floor-1&cell=1`);
    await ready(page);
    const { metadata } = await kiln.json('office/grid?resolution=1&category=floor-1');
    assert.match(await status(page), new RegExp(`^${metadata.total_detections.toLocaleString('en')} detections in `));
    await page.waitForTimeout(300);
    const first = await chromium.look(page);
    assert(middle(first, isHot).count > 100, 'bars have the colors of the scheme');
    await page.focus('#view');
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
    await page.waitForTimeout(300);
    const [was, is] = [middle(first, isHot), middle(await chromium.look(page), isHot)];
    assert(Math.hypot(was.x - is.x, was.y - is.y) > 3, 'the view is rotated');
    await page.selectOption('#shape', 'surface');
    await page.waitForTimeout(300);
    assert(middle(await chromium.look(page), isHot).count > 20);
    assert.match(await page.$eval('#map', (link) => link.href), /\/#.*space=floor-1/);
    await done();
  });

  test('a comparison links to its week B, which the 3-D page names with the space', async () => {
    const { page, done } = await visit(`layer=office&${AT}&space=floor-2&weeks=2024-W02..2024-W04&zone=Europe/Stockholm`);
    assert.equal(await page.textContent('#surface'), '3-D surface of week B: 22 – 28 Jan 2024');
    await page.click('#surface');
    await ready(page);
    assert.equal(await page.textContent('#title'), 'Office · floor-2');
    assert.equal(await page.textContent('#period'), '22 Jan 2024 – 28 Jan 2024');
    assert.equal(await page.title(), 'Office · floor-2, 22 Jan 2024 – 28 Jan 2024 in 3-D - Kiln');
    const { metadata } = await kiln.json('office/grid?resolution=0.5&category=floor-2&start=2024-01-21T23:00:00Z&end=2024-01-28T23:00:00Z');
    assert((await status(page)).startsWith(metadata.total_detections.toLocaleString('en')));
    await page.click('a#map');
    await page.waitForSelector('body.floor');
    await shown(page);
    assert.equal((await hash(page)).get('weeks'), '2024-W02..2024-W04');
    assert.equal((await hash(page)).get('time'), null);
    await done();
  });

  test('errors and empty periods are reported', async () => {
    const { page } = await chromium.page({ viewport: { width: 320, height: 640 } }, [kiln.url]);
    await page.goto(`${kiln.url}/one/surface`);
    await page.waitForSelector('#status.error');
    assert.match(await status(page), /layers in meters/);
    await page.goto(`${kiln.url}/office/surface#time=2024-01-06T00:00:00Z..2024-01-08T00:00:00Z`);
    await ready(page);
    assert.match(await status(page), /No detections/);
    assert((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
    await page.context().close();
    assert.equal((await fetch(`${kiln.url}/nowhere/surface`)).status, 404);
  });
});

describe('3-D maps of other libraries', () => {
  test('the page of MapLibre GL in the documentation raises the terrain where the points are', async () => {
    const guide = readFileSync(new URL('../../docs/occupancy.md', import.meta.url), 'utf8');
    const code = /```html\n([^]*?addProtocol[^]*?)```/.exec(guide)[1].replaceAll('http://localhost:3000/cities', `${kiln.url}/one`);
    const { lat, lng } = STOCKHOLM;
    assert(code.includes('new Map({') && code.includes('center: [10, 48], zoom: 4'));
    const host = await site({ '/page': code.replace('new Map({', 'window.map = new Map({').replace('center: [10, 48], zoom: 4', `center: [${lng}, ${lat}], zoom: 6`) });
    const { page, done } = await chromium.page({ viewport: { width: 500, height: 400 } }, [kiln.url, host.url, ...HOSTS]);
    await withoutInternet(page);
    await page.goto(`${host.url}/page`);
    await page.waitForFunction(() => window.map);
    await page.evaluate(([lng, lat]) => {
      map.on('idle', () => {
        window.heights = [[lng, lat], [lng + 1.5, lat]].map((place) => map.queryTerrainElevation(place));
      });
    }, [lng, lat]);
    await page.waitForFunction(() => window.heights?.every((height) => height !== null), null, { timeout: 60_000 });
    const [there, elsewhere] = await page.evaluate(() => window.heights);
    assert(there - elsewhere > 100, `${there} m and ${elsewhere} m`);
    await done();
    host.stop();
  });
});
