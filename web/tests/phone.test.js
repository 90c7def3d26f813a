// The map page on the screens of phones.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { CROWD, FLOORS, serve, STOCKHOLM } from './kiln.js';

const TOUCH = { isMobile: true, hasTouch: true };
const UPRIGHT = { viewport: { width: 390, height: 844 }, ...TOUCH };
const SMALL = { viewport: { width: 360, height: 640 }, ...TOUCH };
const LOW = { viewport: { width: 640, height: 360 }, ...TOUCH };

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(CROWD + FLOORS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');
async function visit(state, options) {
  const visitor = await chromium.page(options, [kiln.url]);
  await visitor.page.goto(`${kiln.url}/#${state}`);
  await shown(visitor.page);
  return visitor;
}

const hash = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
const box = async (page, selector) => {
  const { x, y, width, height } = await page.locator(selector).boundingBox();
  return { left: x, top: y, right: x + width, bottom: y + height };
};
const detent = (page) => page.getAttribute('#panel', 'data-detent');
const settle = (page) => page.waitForTimeout(350);
const overlap = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;

/** Asserts that the boxes are within the screen and that none covers another. */
async function assertApart(page, selectors) {
  const { width, height } = page.viewportSize();
  const boxes = [];
  for (const selector of selectors) boxes.push([selector, await box(page, selector)]);
  for (const [selector, { left, top, right, bottom }] of boxes) {
    assert(left >= -0.5 && top >= -0.5 && right <= width + 0.5 && bottom <= height + 0.5, `${selector}: ${[left, top, right, bottom]}`);
  }
  for (const [i, [a, first]] of boxes.entries()) for (const [b, second] of boxes.slice(i + 1)) assert(!overlap(first, second), `${a} and ${b}: ${JSON.stringify([first, second])}`);
}

async function assertNoScroll(page) {
  const [needed, has] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert(needed <= has, `${needed} > ${has}`);
}

/** Drags a finger. */
async function swipe(page, x, from, to, ms = 300) {
  const session = await page.context().newCDPSession(page);
  const touch = (type, y) => session.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y }] });
  await touch('touchStart', from);
  for (let i = 1; i <= 10; i++) {
    await page.waitForTimeout(ms / 10);
    await touch('touchMove', from + ((to - from) * i) / 10);
  }
  // A finger that rests before it leaves does not fling.
  if (ms >= 300) {
    await page.waitForTimeout(100);
    await touch('touchMove', to + 1);
  }
  await touch('touchEnd');
  await settle(page);
}

describe('the sheet of an upright phone', () => {
  for (const options of [UPRIGHT, SMALL]) {
    test(`has title, legend and times below the map, and opens by taps, at ${options.viewport.width} pixels`, async () => {
      const { page, done } = await visit('layer=days&at=2/20/0', options);
      await page.waitForSelector('.kiln-legend-tick');
      await page.waitForSelector('#times:not([hidden])');
      await settle(page);
      assert.equal(await detent(page), 'peek');
      assert.equal(await page.textContent('#sheet-title'), 'Seven days');
      await assertApart(page, ['#fold', '.kiln-legend', '#times']);
      await assertApart(page, ['#map', '#panel']);
      await assertApart(page, ['.leaflet-control-zoom', '.area-tools >> nth=0', '.leaflet-control-attribution', '#panel']);
      const { bottom } = await box(page, '#map');
      assert(bottom >= 0.6 * options.viewport.height, `the map has ${bottom} pixels`);
      await assertNoScroll(page);
      await page.tap('#fold');
      await settle(page);
      assert.equal(await detent(page), 'half');
      await assertApart(page, ['#map', '#panel']);
      assert.equal(await page.isVisible('#layer'), true);
      await page.tap('#fold');
      await settle(page);
      assert.equal(await detent(page), 'full');
      assert((await box(page, '#panel')).top < 60);
      await page.locator('#take summary').scrollIntoViewIfNeeded();
      await page.tap('#take summary');
      await page.getByRole('tab').first().tap();
      await assertNoScroll(page);
      const snippet = await page.$eval('#snippet', (box) => [box.scrollWidth, box.clientWidth]);
      assert(snippet[0] <= snippet[1], `${snippet}`);
      await page.tap('#fold');
      await settle(page);
      assert.equal(await detent(page), 'peek');
      assert.equal(await page.isVisible('#controls'), false);
      await done();
    });
  }

  test('opens and closes by drags, and the map keeps its own', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', UPRIGHT);
    await page.waitForSelector('#times:not([hidden])');
    await settle(page);
    const handle = async () => (await box(page, '#panel')).top + 8;
    await swipe(page, 300, (await handle()) + 20, 400);
    assert.equal(await detent(page), 'half');
    await swipe(page, 300, (await handle()) + 20, 90);
    assert.equal(await detent(page), 'full');
    // A fling.
    await swipe(page, 300, (await handle()) + 20, 250, 60);
    assert.equal(await detent(page), 'half');
    await swipe(page, 300, (await handle()) + 20, 835);
    assert.equal(await detent(page), 'peek');
    const before = (await hash(page)).get('at');
    await swipe(page, 200, 400, 300);
    await page.waitForTimeout(500);
    assert.notEqual((await hash(page)).get('at'), before);
    assert.equal(await detent(page), 'peek');
    await done();
  });

  test('opens and closes by keyboard', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', UPRIGHT);
    await page.focus('#fold');
    const expanded = () => page.getAttribute('#fold', 'aria-expanded');
    assert.equal(await expanded(), 'false');
    for (const [key, wanted] of [['ArrowUp', 'half'], ['ArrowUp', 'full'], ['ArrowDown', 'half'], ['Enter', 'full'], ['Escape', 'peek'], ['Enter', 'half']]) {
      await page.keyboard.press(key);
      await settle(page);
      assert.equal(await detent(page), wanted, key);
      assert.equal(await expanded(), String(wanted !== 'peek'));
    }
    await page.focus('#scheme');
    await page.keyboard.press('Escape');
    assert.equal(await detent(page), 'peek');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'fold');
    await done();
  });

  test('the center of the map stays in the visible part', async () => {
    const { page, done } = await visit(`layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`, UPRIGHT);
    const [, lat, lng] = (await hash(page)).get('at').split('/').map(Number);
    await page.tap('#fold');
    await page.waitForTimeout(700);
    const [, nextLat, nextLng] = (await hash(page)).get('at').split('/').map(Number);
    assert.deepEqual([nextLat, nextLng], [lat, lng]);
    // The town is in the middle of it.
    const map = await box(page, '#map');
    await page.touchscreen.tap(195, (map.top + map.bottom) / 2);
    await page.waitForSelector('.leaflet-popup');
    assert.match(await page.innerText('.leaflet-popup'), /1 point within/);
    await done();
  });

  test('an area is drawn on the map, and its statistics are in the sheet', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', SMALL);
    await page.waitForSelector('#times:not([hidden])');
    await page.tap('[aria-label="Statistics of a box"]');
    await settle(page);
    await assertApart(page, ['#map', '#panel']);
    assert((await box(page, '#map')).bottom > 380, 'while drawing the map has the room');
    await page.tap('#area-view');
    await page.waitForSelector('#area[data-state="done"]:not([hidden])');
    await settle(page);
    await assertApart(page, ['#map', '#times', '#area']);
    await assertApart(page, ['#area-copy', '#area-zoom', '#area-close']);
    await assertNoScroll(page);
    await page.tap('#area-close');
    await settle(page);
    assert.equal(await page.isVisible('.kiln-legend'), true);
    await done();
  });

  test('a popup is within the map', async () => {
    const { page, done } = await visit(`layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`, SMALL);
    for (const [x, y] of [[340, 30], [100, 30], [180, 300]]) {
      await page.touchscreen.tap(x, y);
      await page.waitForSelector('.leaflet-popup');
      await page.waitForTimeout(700);
      await assertApart(page, ['.leaflet-popup-content-wrapper', '#panel', '.leaflet-control-zoom']);
      await page.click('.leaflet-popup-close-button');
    }
    await done();
  });

  test('two legends of a comparison are beside each other', async () => {
    const { page, done } = await visit(`layer=days&at=2/20/0&before=${encodeURIComponent('layer=days&at=2/20/0&scheme=viridis')}`, SMALL);
    await page.waitForFunction(() => document.querySelectorAll('#peek .kiln-legend-bar').length === 2);
    await settle(page);
    await assertApart(page, ['.kiln-legend >> nth=0', '.kiln-legend >> nth=1', '#times']);
    await assertApart(page, ['#before-label', '#after-label', '#panel', '.leaflet-control-zoom']);
    await done();
  });
});

describe('a low screen', () => {
  test('has a card with legend and times beside the map, whose controls unfold', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', LOW);
    await page.waitForSelector('.kiln-legend-tick');
    await page.waitForSelector('#times:not([hidden])');
    await assertApart(page, ['.kiln-legend', '#times', '#fold']);
    await assertApart(page, ['#panel', '.leaflet-control-attribution', '.leaflet-control-zoom', '.area-tools >> nth=0']);
    assert.equal(await page.isVisible('#controls'), false);
    await page.tap('#fold');
    await page.locator('#take summary').scrollIntoViewIfNeeded();
    await page.tap('#take summary');
    await assertApart(page, ['#panel', '.leaflet-control-zoom']);
    await assertNoScroll(page);
    await done();
  });

  test('a turn of the phone moves the panel, and a wide window has it all as before', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', UPRIGHT);
    await page.waitForSelector('#times:not([hidden])');
    await page.setViewportSize({ width: 844, height: 390 });
    await page.waitForTimeout(700);
    await assertApart(page, ['#panel', '.leaflet-control-attribution', '.leaflet-control-zoom']);
    assert.equal((await box(page, '#map')).bottom, 390);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.waitForTimeout(700);
    assert.equal(await page.locator('.leaflet-control-container .kiln-legend').count(), 1);
    await assertApart(page, ['#panel', '#times', '.kiln-legend']);
    assert.equal((await box(page, '#map')).bottom, 800);
    assert.equal(await page.isVisible('#controls'), true);
    await done();
  });
});

describe('wider windows', () => {
  for (const [width, height] of [[700, 900], [768, 1024], [1000, 700], [1280, 800]]) {
    test(`at ${width} × ${height}, panel, legend, times, area and buttons do not cover each other`, async () => {
      for (const touch of [{}, TOUCH]) {
        for (const state of ['layer=days&at=2/20/0&area=-70,10;20,10;20,30;-70,30', 'layer=office']) {
          const { page, done } = await visit(state, { viewport: { width, height }, ...touch });
          await page.waitForSelector('.kiln-legend-tick');
          await page.waitForSelector('#times:not([hidden])');
          if (state.includes('area')) await page.waitForSelector('#area[data-state="done"]:not([hidden])');
          await settle(page);
          await assertApart(page, ['#panel', '#times', '.kiln-legend', '.leaflet-control-zoom', '.leaflet-control-attribution', ...(state.includes('area') ? ['#area'] : [])]);
          await assertNoScroll(page);
          await done();
        }
      }
    });
  }
});

describe('a floor on a phone', () => {
  for (const options of [SMALL, LOW]) {
    test(`at ${options.viewport.width} × ${options.viewport.height}, the plan is in the part that the panel leaves`, async () => {
      const { page, done } = await visit('layer=office', options);
      await page.waitForSelector('#times:not([hidden])');
      await settle(page);
      await assertApart(page, ['#panel', '.leaflet-control-zoom', '.leaflet-control-attribution']);
      const [plan, panel] = [await box(page, 'img.plan'), await box(page, '#panel')];
      const overlapX = Math.min(plan.right, panel.right) - Math.max(plan.left, panel.left);
      const overlapY = Math.min(plan.bottom, panel.bottom) - Math.max(plan.top, panel.top);
      assert(overlapX < 20 || overlapY < 20, JSON.stringify([plan, panel]));
      await assertNoScroll(page);
      await done();
    });
  }
});

describe('targets', () => {
  test('buttons, selects and sections are at least 44 pixels high for a finger', async () => {
    const { page, done } = await visit('layer=days&at=2/20/0', UPRIGHT);
    await page.waitForSelector('#times:not([hidden])');
    await page.tap('#fold');
    await page.tap('#fold');
    await settle(page);
    await page.evaluate(() => document.querySelectorAll('#panel details').forEach((part) => (part.open = true)));
    const small = await page.$$eval('button:not(.link, #play), select, summary, .button, .leaflet-bar a, label.check', (all) =>
      all.filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 43.5).map((each) => `${each.id || each.textContent.trim()} ${each.getBoundingClientRect().height}`),
    );
    assert.deepEqual(small, []);
    await done();
  });
});
