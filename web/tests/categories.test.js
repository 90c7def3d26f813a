// The filter by categories of the map page, the matrix page and the floor page: all can be found, and unticked ones are off.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { middle, open } from './browser.js';
import { serve } from './kiln.js';

/** Sixty categories; the one of rank n has 61 - n points, at a place of its own. */
const COUNT = 60;
const nameOf = (rank) => (rank === 7 ? 'Å, "ship" & <b>' : `line ${String(rank).padStart(2, '0')}`);
const placeOf = (rank) => ({ lng: -50 + 10 * ((rank - 1) % 10), lat: 40 - 10 * Math.floor((rank - 1) / 10) });
const lines = Array.from({ length: COUNT }, (_, i) => i + 1).flatMap((rank) => {
  const { lng, lat } = placeOf(rank);
  return Array.from({ length: COUNT + 1 - rank }, (_, n) => `${lng},${lat},2024-01-0${1 + (n % 7)}T06:00:00Z,"${nameOf(rank).replaceAll('"', '""')}"`);
});
/** More categories than the server lists: 1,100, of which the last ones have two points. Three points have none. */
const many = Array.from({ length: 1100 }, (_, i) => `${(i % 100) / 10},${i / 100},code ${i}`);
const MANY = ['lon,lat,kind', ...many, ...many.slice(1090), '1,1,', '1,1,', '1,1,'].join('\n');
const spaces = Array.from({ length: 55 }, (_, i) => `${i % 40},${i % 24},room ${String(i).padStart(2, '0')}`);
const CONFIG = `
[layers.lines]
input = "lines.csv"
time = "time"
category = "kind"
style = { radius = 8 }

[layers.many]
input = "many.csv"
category = "kind"

[layers.rooms]
input = "spaces.csv"
crs = "plane"
category = "kind"
`;

let kiln, chromium;
before(async () => {
  const files = { 'lines.csv': ['lon,lat,time,kind', ...lines].join('\n'), 'many.csv': MANY, 'spaces.csv': ['x,y,kind', ...spaces].join('\n') };
  [kiln, chromium] = await Promise.all([serve(CONFIG, { files }), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const AT = 'at=3/15/-5&scheme=fire';
async function visit(state, options = {}) {
  const visitor = await chromium.page({ viewport: { width: 1200, height: 900 }, ...options }, [kiln.url]);
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await visitor.page.waitForSelector('#map[aria-busy="false"]');
  await visitor.page.waitForSelector('#categories:not([hidden])');
  return visitor;
}
async function unfold(state, options) {
  const visitor = await visit(state, options);
  await visitor.page.click('#categories summary');
  await visitor.page.waitForSelector('.category');
  return visitor;
}
const names = (page) => page.$$eval('.category input', (inputs) => inputs.map(({ value }) => value));
const ticked = (page) => page.$$eval('.category input', (inputs) => inputs.filter(({ checked }) => checked).map(({ value }) => value));
const box = (page, name) => page.getByRole('checkbox', { name, exact: false });
const summary = (page) => page.textContent('#categories-value');
const inUrl = (page) => JSON.parse(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('categories') ?? '[]');

/** Whether the place of a category has heat. */
async function hasHeat(page, rank) {
  await page.waitForTimeout(250);
  await page.waitForSelector('#map[aria-busy="false"]');
  const { x, y } = await page.evaluate(({ lat, lng }) => {
    // The map is at zoom 3, with the center at 15° N, 5° W.
    const project = (lat, lng) => [(2048 * (lng + 180)) / 360, 1024 - (2048 / (2 * Math.PI)) * Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360))];
    const [[x, y], [x0, y0]] = [project(lat, lng), project(15, -5)];
    return { x: innerWidth / 2 + x - x0, y: innerHeight / 2 + y - y0 };
  }, placeOf(rank));
  const picture = await chromium.look(page);
  const part = { width: 13, height: 13, at: (column, row) => picture.at(Math.round(x) - 6 + column, Math.round(y) - 6 + row) };
  return middle(part, ([red, , blue]) => red - blue > 60).count > 10;
}

describe('the filter by categories', () => {
  test('lists all categories with their numbers of points, and all are ticked', async () => {
    const { page, requested, done } = await visit(`layer=lines&${AT}`);
    assert.equal(await summary(page), 'all');
    assert(!requested.some((url) => url.includes('/categories')), 'the list is loaded once it is needed');
    await page.click('#categories summary');
    await page.waitForSelector('.category');
    const all = Array.from({ length: COUNT }, (_, i) => nameOf(i + 1));
    assert.deepEqual(await names(page), all);
    assert.deepEqual(await ticked(page), all);
    assert.match(await page.textContent('.category:nth-child(3)'), /line 03.*58.*only/);
    assert.equal(await page.isVisible('#category-all'), false);
    await done();
  });

  test('says that its numbers are those of all times while a part of them is shown', async () => {
    const { page, done } = await visit('layer=days&time=2024-03-01T00:00:00.000Z..2024-03-02T00:00:00.000Z');
    await page.evaluate(() => (document.getElementById('categories').open = true));
    await page.waitForSelector('#category-list .category');
    assert.match(await page.textContent('#categories > p.quiet:not([role])'), /all times/);
    await page.click('#all-times');
    await page.waitForFunction(() => document.querySelector('#categories > p.quiet:not([role])').textContent === '');
    await done();
  });

  test('an unticked category is off, in the map, the URL and a copy of the link', async () => {
    const { page, whenRequested, done } = await unfold(`layer=lines&${AT}`);
    assert.deepEqual([await hasHeat(page, 2), await hasHeat(page, 3)], [true, true]);
    await box(page, 'line 02').uncheck();
    assert.equal(await summary(page), '59 of 60');
    assert.deepEqual([await hasHeat(page, 2), await hasHeat(page, 3)], [false, true]);
    assert(!inUrl(page).includes('line 02') && inUrl(page).length === 59);
    await whenRequested((url) => url.includes('category=') && !url.includes('line+02'));
    await page.reload();
    await page.waitForSelector('#map[aria-busy="false"]');
    await page.click('#categories summary');
    await page.waitForSelector('.category');
    assert.equal(await box(page, 'line 02').isChecked(), false);
    assert.equal((await ticked(page)).length, 59);
    // All ticks again are no filter.
    await box(page, 'line 02').check();
    assert.equal(await summary(page), 'all');
    assert.deepEqual(inUrl(page), []);
    assert.equal(await hasHeat(page, 2), true);
    await done();
  });

  test('only shows one category, and the last tick stays', async () => {
    const { page, done } = await unfold(`layer=lines&${AT}`);
    await page.click('button[aria-label="Only line 04"]');
    assert.deepEqual([await ticked(page), await summary(page), inUrl(page)], [['line 04'], '1 of 60', ['line 04']]);
    assert.deepEqual([await hasHeat(page, 4), await hasHeat(page, 5)], [true, false]);
    await box(page, 'line 04').click();
    assert.equal(await box(page, 'line 04').isChecked(), true);
    assert.equal(await page.textContent('#category-note'), 'At least one category must be ticked.');
    await box(page, 'line 05').check();
    assert.equal(await page.textContent('#category-note'), '');
    assert.deepEqual(await ticked(page), ['line 04', 'line 05']);
    await page.click('#category-all');
    assert.deepEqual([await summary(page), inUrl(page)], ['all', []]);
    assert.equal((await ticked(page)).length, COUNT);
    await done();
  });

  test('a search finds categories beyond the first 50, and shows only these', async () => {
    const { page, done } = await unfold(`layer=lines&${AT}`);
    await page.fill('#category-search', 'LINE 5');
    const found = Array.from({ length: 10 }, (_, i) => nameOf(50 + i));
    assert.deepEqual(await names(page), found);
    assert.equal(await page.textContent('#category-note'), '10 of 60 match');
    await page.click('#category-found');
    assert.deepEqual(inUrl(page).toSorted(), found);
    assert.deepEqual([await hasHeat(page, 55), await hasHeat(page, 1)], [true, false]);
    await page.fill('#category-search', '"SHIP" & <');
    assert.deepEqual(await names(page), [nameOf(7)]);
    assert.equal(await page.textContent('#category-found'), 'Only this one');
    await page.press('#category-search', 'Enter');
    await page.click('#category-found');
    assert.deepEqual(inUrl(page), [nameOf(7)]);
    assert.equal(await hasHeat(page, 7), true);
    await page.fill('#category-search', 'tram');
    assert.equal(await page.textContent('#category-note'), 'No category contains “tram”.');
    assert.equal(await page.isVisible('#category-found'), false);
    await done();
  });

  test('of more categories than the server lists, any can be found, and one cannot be hidden', async () => {
    const { page, done } = await unfold('layer=many&categories=["code 95"]');
    // That of the link first, then the largest; the last 100 by name are not listed.
    assert.deepEqual((await names(page)).slice(0, 2), ['code 95', 'code 1090']);
    assert.equal(await page.textContent('#categories > p.quiet:not([role])'), 'and 100 more: search for them. 3 points without a category are hidden.');
    await page.fill('#category-search', 'code 977');
    await page.waitForFunction(() => document.querySelectorAll('.category').length === 1);
    await page.check('.category input');
    assert.deepEqual(inUrl(page), ['code 95', 'code 977']);
    await page.click('#category-all');
    assert.equal(await summary(page), 'all');
    await page.click('.category input');
    assert.equal(await page.isChecked('.category input'), true);
    assert.match(await page.textContent('#category-note'), /too many categories to hide one of them\. Start from “only”/);
    await done();
  });

  test('a list that fails to load says so, and loads again', async () => {
    const { page, complaints } = await visit(`layer=lines&${AT}`);
    await page.route('**/categories?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"detail": "the render queue is full"}' }));
    await page.click('#categories summary');
    await page.waitForFunction(() => document.getElementById('category-note').textContent === 'The categories failed to load: the render queue is full');
    await page.unroute('**/categories?*');
    await page.fill('#category-search', 'line 12');
    await page.waitForSelector('.category');
    assert.deepEqual(await names(page), ['line 12']);
    assert(complaints.every((text) => text.includes('503')), complaints.join('\n'));
    await page.context().close();
  });

  test('another layer has its own list', async () => {
    const { page, done } = await unfold(`layer=lines&${AT}`);
    await page.fill('#category-search', 'line 5');
    await page.selectOption('#layer', 'many');
    await page.waitForFunction(() => document.querySelectorAll('.category').length === 1000);
    assert.equal(await page.inputValue('#category-search'), '');
    await page.selectOption('#layer', 'one');
    await page.waitForSelector('#categories', { state: 'hidden' });
    await done();
  });
});

describe('other pages', () => {
  test('the matrix is filtered by the same list', async () => {
    const { page, requested, done } = await chromium.page({ viewport: { width: 1200, height: 900 } }, [kiln.url]);
    await page.goto(`${kiln.url}/matrix/lines#zone=UTC&x=category&y=none`);
    await page.waitForSelector('#chart-frame[aria-busy="false"]');
    await page.click('#categories summary');
    await page.waitForSelector('.category');
    await page.fill('#category-search', 'line 58');
    await page.click('#category-found');
    await page.waitForFunction(() => document.getElementById('status').textContent.startsWith('3 points'));
    assert(requested.some((url) => url.includes('/matrix?') && new URL(url).searchParams.get('category') === '["line 58"]'));
    assert.equal(await page.textContent('#categories-value'), '1 of 60');
    await done();
  });

  test('a floor lists all spaces', async () => {
    const { page, done } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/#layer=rooms`);
    await page.waitForFunction(() => document.querySelectorAll('#space option').length >= 55);
    const listed = await page.$$eval('#space option', (options) => options.map(({ value }) => value).filter(Boolean));
    assert.deepEqual(listed, Array.from({ length: 55 }, (_, i) => `room ${String(i).padStart(2, '0')}`));
    await done();
  });
});
