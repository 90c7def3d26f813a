// Measures the map page by browser tracing: `npm run measure -- URL [LAYER...]` with a running server. It reports figures of this
// machine and asserts nothing.

import { open } from './browser.js';

const [url = 'http://127.0.0.1:3000', ...layers] = process.argv.slice(2);
const names = layers.length ? layers : (await (await fetch(`${url}/catalog`)).json()).layers.map(({ name }) => name);
const chromium = await open();
const ms = (value) => `${Math.round(value)} ms`;
const RUNS = 5;
const VIEW = { viewport: { width: 1280, height: 800 }, reducedMotion: 'no-preference' };
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];

/** Returns the trace events during `work`. */
async function traced(page, work) {
  await chromium.browser.startTracing(page, { categories: ['cc', 'viz', 'benchmark', 'devtools.timeline', 'disabled-by-default-devtools.timeline.frame'] });
  await work();
  return JSON.parse((await chromium.browser.stopTracing()).toString()).traceEvents;
}

/** Records the time of the first visible tile with heat. */
const markFirst = () => {
  const seen = new MutationObserver(() => {
    if (!document.querySelector('.leaflet-heat-pane img.leaflet-tile-loaded')) return;
    seen.disconnect();
    requestAnimationFrame(() => performance.mark('first-heat'));
  });
  seen.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
};

/** The time of the first visible heat, in milliseconds after the navigation and after the load event. */
async function firstHeat(state) {
  const { page } = await chromium.page(VIEW, [url]);
  await page.addInitScript(markFirst);
  await page.goto(`${url}/#${state}`);
  await page.waitForFunction(() => performance.getEntriesByName('first-heat').length && performance.getEntriesByType('navigation')[0].loadEventEnd);
  const times = await page.evaluate(() => {
    const first = performance.getEntriesByName('first-heat')[0].startTime;
    return { first, after: Math.max(first - performance.getEntriesByType('navigation')[0].loadEventEnd, 0) };
  });
  await page.context().close();
  return times;
}

/** Defines `window.isBlank` in a page: whether a part of the map has no tile. */
const watch = () => {
  window.isBlank = () => {
    const boxes = [...document.querySelectorAll('.leaflet-heat-pane img.leaflet-tile-loaded')].map((tile) => tile.getBoundingClientRect());
    const covered = (x, y) => boxes.some(({ left, right, top, bottom }) => left <= x && x < right && top <= y && y < bottom);
    for (let x = 1; x < innerWidth; x += 64) for (let y = 1; y < innerHeight; y += 64) if (!covered(x, y)) return true;
    return false;
  };
};

/** Drags the map along a closed path. */
async function drag(page) {
  await page.mouse.move(500, 400);
  await page.mouse.down();
  // At the rate of mouse events, whether or not the browser has processed the previous one.
  const moves = [];
  for (let i = 1; i <= 250; i++) {
    const turn = (i / 250) * 2 * Math.PI;
    moves.push(page.mouse.move(500 + 180 * Math.sin(turn), 400 + 120 * (1 - Math.cos(turn))));
    await new Promise((then) => setTimeout(then, 8));
  }
  await Promise.all(moves);
  await page.mouse.up();
}

/** The frame rate during a drag, and the intervals between frames. */
async function pan(page) {
  const events = await traced(page, () => drag(page));
  const drawn = events.filter((event) => event.name === 'DrawFrame').map((event) => event.ts / 1000).sort((a, b) => a - b);
  const gaps = drawn.slice(1).map((time, i) => time - drawn[i]).filter((gap) => gap < 1000);
  return { rate: (1000 * gaps.length) / (drawn.at(-1) - drawn[0]), late: quantile(gaps, 0.95) };
}

/** The number of frames of a drag with missing tiles. */
async function blanks(page) {
  const counted = page.evaluate(async () => {
    let [frames, blank, on] = [0, 0, true];
    window.enough = () => (on = false);
    while (on) {
      await new Promise(requestAnimationFrame);
      frames++;
      if (window.isBlank()) blank++;
    }
    return { frames, blank };
  });
  await drag(page);
  await page.evaluate(() => window.enough());
  return counted;
}

/** The time until all tiles are loaded after a jump to a new area. */
async function jump(page, lng) {
  return page.evaluate(async (lng) => {
    const start = performance.now();
    location.hash = location.hash.replace(/at=[^&]*/, `at=6/38/${lng}`);
    await new Promise((done) => addEventListener('hashchange', done, { once: true }));
    while (window.isBlank()) await new Promise(requestAnimationFrame);
    return performance.now() - start;
  }, lng);
}

for (const layer of names) {
  const measured = { warm: [], cold: [] };
  await firstHeat(`layer=${layer}`);
  for (let i = 0; i < RUNS; i++) {
    measured.warm.push(await firstHeat(`layer=${layer}`));
    // A style that was not requested before: the server has cached neither its span nor its tiles.
    measured.cold.push(await firstHeat(`layer=${layer}&radius=${(14 + 10 * Math.random()).toFixed(3)}`));
  }
  for (const [name, loads] of Object.entries(measured)) {
    const [first, after] = ['first', 'after'].map((each) => quantile(loads.map((load) => load[each]), 0.5));
    console.log(`${layer}: first heat (${name} server) ${ms(first)} after navigation, ${ms(after)} after load (median of ${loads.length})`);
  }

  const { page } = await chromium.page(VIEW, [url]);
  await page.addInitScript(watch);
  await page.goto(`${url}/#layer=${layer}&at=5/38/-95`);
  await page.waitForSelector('#map[aria-busy="false"]');
  await drag(page); // loads all tiles
  await page.waitForLoadState('networkidle');
  await page.waitForTimeout(500);
  const pans = [];
  let [frames, blank] = [0, 0];
  for (let i = 0; i < RUNS; i++) {
    const seen = await blanks(page);
    frames += seen.frames;
    blank += seen.blank;
    pans.push(await pan(page));
  }
  const [rate, late] = ['rate', 'late'].map((name) => quantile(pans.map((each) => each[name]), 0.5));
  console.log(
    `${layer}: pan over tiles that are there: ${rate.toFixed(0)} frames a second, ${ms(late)} between frames at the 95th percentile (median of ${pans.length}); ${blank} of ${frames} frames with a blank`,
  );
  await page.goto('about:blank');
  await page.goto(`${url}/#layer=${layer}&at=6/38/-150&radius=${(14 + 10 * Math.random()).toFixed(3)}`);
  await page.waitForSelector('#map[aria-busy="false"]');
  const jumps = [];
  for (let i = 1; i <= 2 * RUNS; i++) {
    jumps.push(await jump(page, -150 + 30 * i)); // more than a screen
    await page.waitForTimeout(500);
  }
  console.log(`${layer}: a screen of new ground: whole after ${ms(quantile(jumps, 0.5))} (median of ${jumps.length}), ${ms(Math.max(...jumps))} at most`);
  await page.context().close();
}
await chromium.close();
