// Points that the browser draws in place of the server.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { isHot, middle, near, open } from './browser.js';
import { GROUND, serve, STOCKHOLM } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(GROUND), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

// Without coasts and borders above the heat.
const at = (zoom, { lat, lng } = STOCKHOLM) => `names=off&at=${zoom}/${lat}/${lng}`;
const hash = async (page) => new URLSearchParams((await page.evaluate(() => location.hash)).slice(1));
const status = (page, part) => page.waitForFunction((part) => document.getElementById('status').textContent.includes(part), part);
const BY_BROWSER = 'drawn by the browser';

async function visit(state, options, server = kiln) {
  const visitor = await chromium.page(options, [server.url]);
  await visitor.page.goto(`${server.url}/#${state}`);
  await visitor.page.waitForSelector('#map[aria-busy="false"]');
  return visitor;
}

/** Takes a screenshot of the heat alone, on white. */
async function look(page) {
  await page.waitForTimeout(400);
  await page.evaluate(() => {
    for (const element of document.querySelectorAll('#panel, .leaflet-control-container, #times, .leaflet-land-pane')) element.style.visibility = 'hidden';
    for (const element of [document.body, document.getElementById('map')]) element.style.background = '#fff';
  });
  return chromium.look(page);
}

/** The ink of both pictures, the share of the first that the second has, and the largest difference of a channel. */
function compared(server, browser) {
  let [inkByServer, inkByBrowser, worst] = [0, 0, 0];
  const ink = (color) => 765 - color[0] - color[1] - color[2];
  for (let y = 0; y < server.height; y++) {
    for (let x = 0; x < server.width; x++) {
      const [a, b] = [server.at(x, y), browser.at(x, y)];
      inkByServer += ink(a);
      inkByBrowser += ink(b);
      worst = Math.max(worst, ...a.map((part, i) => Math.abs(part - b[i])));
    }
  }
  assert(inkByServer > 1000, 'the server has drawn something');
  return { share: inkByBrowser / inkByServer, worst };
}

describe('the browser draws what the server draws', () => {
  const DAY = { lat: 20, lng: -59.95 };
  for (const [name, state, options] of [
    ['at zoom 12', `layer=one&${at(12)}`],
    ['at zoom 8, with several dots on a linear scale', `layer=days&${at(8, DAY)}&curve=linear&radius=33`],
    ['on a logarithmic scale in another scheme', `layer=days&${at(9, DAY)}&curve=log&scheme=ylgnbu`],
    ['with a filter, as counts', `layer=days&${at(8, DAY)}&agg=count&categories=["bus"]`],
    ['on a high-density screen', `layer=one&${at(9)}`, { deviceScaleFactor: 2 }],
    ['with a radius on the ground', `layer=ground&${at(8)}`],
  ]) {
    test(name, async () => {
      const server = await visit(`${state}&handover=off`, options);
      const byServer = await look(server.page);
      await server.done();
      const browser = await visit(`${state}&handover=on`, options);
      await browser.page.waitForSelector('canvas.points');
      const { share, worst } = compared(byServer, await look(browser.page));
      // Opacities are rounded to 1/255 twice. A radius on the ground is that of each dot, not of each row.
      assert(share > 0.97 && share < 1.03 && worst <= 16, `${share} of the ink, differences up to ${worst}`);
      await browser.done();
    });
  }

  test('also after the map has moved, without another request', async () => {
    const { page, requested, done } = await visit(`layer=one&${at(9)}&handover=on`);
    await page.waitForSelector('canvas.points');
    await page.mouse.move(500, 350);
    await page.mouse.down();
    await page.mouse.move(350, 300, { steps: 4 });
    await page.mouse.up();
    await page.waitForTimeout(700);
    near(middle(await look(page), isHot), { x: 350, y: 300 });
    assert.equal(requested.filter((url) => url.includes('/points?')).length, 1);
    assert.equal(await page.locator('canvas.points').count(), 1);
    await done();
  });
});

describe('the hand-over', () => {
  test('is off by default: the server renders every zoom', async () => {
    const { page, requested, done } = await visit(`layer=one&${at(10)}`);
    await page.waitForTimeout(500);
    assert.equal(await page.locator('canvas.points').count(), 0);
    assert(!requested.some((url) => url.includes('/points?')));
    await page.click('#drawing summary');
    assert.equal(await page.isChecked('#handover'), false);
    await page.check('#handover');
    await status(page, `1 point of this view ${BY_BROWSER}`);
    assert.equal((await hash(page)).get('handover'), 'on');
    await page.uncheck('#handover');
    await page.waitForSelector('canvas.points', { state: 'detached' });
    await status(page, 'rendered as tiles');
    assert.equal((await hash(page)).get('handover'), null);
    await done();
  });

  test('happens beyond the chosen zoom', async () => {
    const { page, done } = await visit(`layer=one&${at(7)}&handover=on`);
    await status(page, 'rendered as tiles');
    await page.focus('#map');
    await page.keyboard.press('+');
    await page.waitForSelector('canvas.points');
    await page.keyboard.press('-');
    await page.waitForSelector('canvas.points', { state: 'detached' });
    await page.click('#drawing summary');
    await page.fill('#beyond', '5');
    await page.waitForSelector('canvas.points');
    assert.equal((await hash(page)).get('beyond'), '5');
    await done();
  });

  test('is on beyond the zoom of the configuration, and a link can turn it off', async () => {
    const own = await serve('\n[page]\ndraw_points_beyond = 4\n');
    const { page, done } = await visit(`layer=one&${at(5)}`, {}, own);
    await page.waitForSelector('canvas.points');
    await page.click('#drawing summary');
    assert.deepEqual([await page.isChecked('#handover'), await page.inputValue('#beyond')], [true, '4']);
    assert.equal((await hash(page)).get('handover'), null);
    await page.uncheck('#handover');
    await page.waitForSelector('canvas.points', { state: 'detached' });
    assert.equal((await hash(page)).get('handover'), 'off');
    await done();
    own.stop();
  });

  test('is a cross-fade', async () => {
    const { page, done } = await visit(`layer=one&${at(8)}`, { reducedMotion: 'no-preference' });
    const steps = page.evaluate(async () => {
      const seen = [];
      for (let i = 0; i < 120 && !seen.some(([, canvas]) => canvas > 0.79); i++) {
        await new Promise(requestAnimationFrame);
        const opacity = (name) => Number(getComputedStyle(document.querySelector(name) ?? document.head).opacity);
        if (document.querySelector('canvas.points')) seen.push([opacity('.leaflet-heat-pane'), opacity('canvas.points')]);
      }
      return seen;
    });
    await page.evaluate(() => (location.hash += '&handover=on'));
    const seen = await steps;
    assert(seen.some(([pane, canvas]) => pane > 0.05 && pane < 0.95 && canvas > 0.05 && canvas < 0.75), JSON.stringify(seen));
    await done();
  });

  for (const [name, state] of [
    ['a mean', `layer=one&${at(9)}&agg=mean`],
    ['an equalized scale', `layer=one&${at(9)}&curve=eqhist`],
    ['dots larger than the browser draws', `layer=ground&${at(11)}`],
  ]) {
    test(`leaves ${name} to the server`, async () => {
      const { page, requested, done } = await visit(`${state}&handover=on`);
      await page.waitForTimeout(600);
      await status(page, 'rendered as tiles');
      assert.equal(await page.locator('canvas.points').count(), 0);
      assert(!requested.some((url) => url.includes('/points?')));
      await done();
    });
  }
});
