// Statistics of an area on the map page.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { placeOf, serve } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
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
const done = (page) => page.waitForSelector('#area[data-state="done"]:not([hidden])');
const card = (page) => page.innerText('#area');
const BOX = '[aria-label="Statistics of a box"]';
const POLYGON = '[aria-label="Statistics of a polygon"]';
/** A view at zoom 3 whose center is between the points of days 2 and 3, which are 114 pixels apart. */
const VIEW = 'layer=days&at=3/20/-10';

describe('an area', () => {
  test('a box reports the points, sum, mean and categories in it, and its link shows them again', async () => {
    const { page, requested, done: end } = await visit(VIEW);
    await page.click(BOX);
    assert.match(await card(page), /Drag a box/);
    await page.mouse.move(400, 250);
    await page.mouse.down();
    await page.mouse.move(520, 400, { steps: 4 });
    await page.mouse.move(600, 450);
    await page.mouse.up();
    await done(page);
    // Days 2 and 3 have three points each, of weights 3 and 4.
    const text = await card(page);
    assert.match(text, /6 points/);
    assert.match(text, /Sum of weight\s+21\b/);
    assert.match(text, /Mean\s+3\.5\b/);
    assert.match(text, /Range\s+3 to 4/);
    assert.match(text, /bus\s+3 · 50 %/);
    assert.match(text, /tram\s+3 · 50 %/);
    assert.deepEqual(await page.$$eval('#area .bars', (all) => all.map((svg) => svg.getAttribute('aria-label'))), ['Histogram of weight', 'Points over time']);
    assert((await hash(page)).get('at').startsWith('3/20/-10'), 'the map has not moved');
    assert.equal(await page.$('.leaflet-popup'), null, 'no popup of a value');
    assert.equal((await hash(page)).get('area').split(';').length, 4);
    requested.length = 0;
    await page.reload();
    await done(page);
    assert.equal(await card(page), text);
    await page.click('#area-close');
    assert.equal(await page.isVisible('#area'), false);
    assert.equal((await hash(page)).get('area'), null);
    assert.equal(await page.$('path.area'), null);
    await page.mouse.click(442, 350);
    await page.waitForSelector('.leaflet-popup');
    await end();
  });

  test('a polygon is drawn by clicks, and Backspace, Enter and Escape work', async () => {
    const { page, done: end } = await visit(VIEW);
    await page.click(POLYGON);
    await page.mouse.click(420, 330);
    await page.mouse.click(700, 100);
    await page.keyboard.press('Backspace');
    await page.mouse.click(470, 330);
    await page.keyboard.press('Enter');
    assert.equal(await page.getAttribute('#area', 'data-state'), 'drawing', 'two corners are no area');
    await page.mouse.click(440, 380);
    assert.equal(await page.isVisible('#area-finish'), true);
    await page.keyboard.press('Enter');
    await done(page);
    assert.match(await card(page), /3 points/);
    assert.equal(await page.getAttribute(POLYGON, 'aria-pressed'), 'false');
    await page.click(POLYGON);
    await page.mouse.click(420, 330);
    await page.keyboard.press('Escape');
    assert.equal(await page.isVisible('#area'), false);
    // A click on the first corner closes it.
    await page.click(POLYGON);
    for (const [x, y] of [[380, 300], [640, 300], [640, 420], [380, 420], [382, 302]]) await page.mouse.click(x, y);
    await done(page);
    assert.match(await card(page), /6 points/);
    await end();
  });

  test('the filter applies: categories and times', async () => {
    const { lng } = placeOf(2);
    const { page, done: end } = await visit(`${VIEW}&area=${lng - 5},10;${lng + 30},10;${lng + 30},30;${lng - 5},30`);
    await done(page);
    assert.match(await card(page), /6 points/);
    await page.click('#categories summary');
    await page.uncheck('#category-list input[value="bus"]');
    await page.waitForFunction(() => /\b3 points/.test(document.getElementById('area').innerText));
    assert.doesNotMatch(await card(page), /bus/);
    await end();
  });

  test('the current view is an area without a mouse', async () => {
    const { page, done: end } = await visit('layer=days&at=2/20/0');
    await page.focus(BOX);
    await page.keyboard.press('Enter');
    await page.focus('#area-view');
    await page.keyboard.press('Enter');
    await done(page);
    assert.match(await card(page), /21 points/);
    await end();
  });

  test('an empty area, and one of a layer without weights and categories', async () => {
    const { page, done: end } = await visit(`${VIEW}&area=0,-50;10,-50;10,-40`);
    await done(page);
    assert.match(await card(page), /^Area[\s×]+0 points/);
    assert.equal(await page.$('#area .bars'), null);
    await end();
    const fiji = await visit('layer=fiji&at=6/-16.85/180&area=178,-18;182,-18;182,-15;178,-15');
    await done(fiji.page);
    assert.match(await card(fiji.page), /1 point\b/);
    await fiji.done();
  });

  test('a failure is reported and can be tried again', async () => {
    const { page } = await visit(VIEW);
    let isBroken = true;
    await page.route(/statistics\?.*bins=24/, (route) => (isBroken ? route.abort() : route.continue()));
    await page.click(BOX);
    await page.click('#area-view');
    await page.waitForSelector('#area[data-state="failed"]');
    assert.match(await card(page), /cannot be reached/);
    isBroken = false;
    await page.click('#area-retry');
    await done(page);
    assert.match(await card(page), /\d+ points/);
    await page.context().close();
  });

  test('an invalid area in a link is ignored', async () => {
    for (const area of ['1,2;3,4', 'a,b;c,d;e,f', '1,2,3;4,5,6;7,8,9']) {
      const { page, done: end } = await visit(`${VIEW}&area=${area}`);
      assert.equal(await page.isVisible('#area'), false, area);
      await end();
    }
  });

  test('a box is drawn by touch', async () => {
    const { page, done: end } = await visit('layer=days&at=3/20/-10', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await page.tap(BOX);
    const session = await page.context().newCDPSession(page);
    const touch = (type, x, y) => session.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y }] });
    // The map is above the sheet; its center is at about a third of the screen.
    await touch('touchStart', 80, 250);
    for (let i = 1; i <= 5; i++) await touch('touchMove', 80 + 45 * i, 250 + 40 * i);
    await touch('touchEnd');
    await done(page);
    assert.match(await card(page), /6 points/);
    await end();
  });

  test('has densities and shares in readable numbers', async () => {
    const { page, done: end } = await visit('layer=days&at=2/0/0');
    const categories = [{ name: 'many', points: 999 }, { name: 'rare', points: 1 }];
    const statistics = { points: 1000, weight: null, bounds: null, time: null, categories: { names: ['many', 'rare'], total: 2 }, distributions: { weights: null, times: null, categories }, zooms: [] };
    await page.route('**/statistics?*bins=24*', (route) => (route.request().method() === 'POST' ? route.fulfill({ json: statistics }) : route.continue()));
    await page.evaluate(() => (location.hash = 'layer=days&at=2/0/0&area=-170,-70;170,-70;170,70;-170,70'));
    await done(page);
    const text = await card(page);
    assert.match(text, /Points per (1,000|million) km²\s+[\d.,]+\s/);
    assert.doesNotMatch(text, /\de/);
    assert.match(text, /rare\s+1 · < 1 %/);
    await end();
  });
});
