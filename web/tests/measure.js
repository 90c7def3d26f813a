// How the map page feels, by the browser's own tracing: `npm run measure -- URL [LAYER...]` of a server that runs. It reports,
// and asserts nothing: figures are those of the machine.

import { open } from './browser.js';

const [url = 'http://127.0.0.1:3000', ...layers] = process.argv.slice(2);
const names = layers.length ? layers : (await (await fetch(`${url}/catalog`)).json()).layers.map(({ name }) => name);
const chromium = await open();
const ms = (value) => `${Math.round(value)} ms`;
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];

/** What was traced while `work` went on. */
async function traced(page, work) {
  await chromium.browser.startTracing(page, { categories: ['cc', 'viz', 'benchmark', 'devtools.timeline', 'disabled-by-default-devtools.timeline.frame'] });
  await work();
  return JSON.parse((await chromium.browser.stopTracing()).toString()).traceEvents;
}

/** Marks the first tile with heat on screen. */
const markFirst = () => {
  const seen = new MutationObserver(() => {
    if (!document.querySelector('.leaflet-heat-pane img.leaflet-tile-loaded')) return;
    seen.disconnect();
    requestAnimationFrame(() => performance.mark('first-heat'));
  });
  seen.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
};

for (const layer of names) {
  const loads = [];
  for (let i = 0; i < 5; i++) {
    const { page } = await chromium.page({ viewport: { width: 1280, height: 800 }, reducedMotion: 'no-preference' }, [url]);
    await page.addInitScript(markFirst);
    await page.goto(`${url}/#layer=${layer}`);
    await page.waitForSelector('#map[aria-busy="false"]');
    await page.waitForFunction(() => performance.getEntriesByName('first-heat').length);
    loads.push(
      await page.evaluate(() => {
        const first = performance.getEntriesByName('first-heat')[0].startTime;
        return { first, after: first - performance.getEntriesByType('navigation')[0].loadEventEnd };
      }),
    );
    await page.context().close();
  }
  const middle = (name) => quantile(loads.map((load) => load[name]), 0.5);
  console.log(`${layer}: first heat ${ms(middle('first'))} after navigation, ${ms(middle('after'))} after load (median of ${loads.length})`);

  const { page } = await chromium.page({ viewport: { width: 1280, height: 800 }, reducedMotion: 'no-preference' }, [url]);
  await page.goto(`${url}/#layer=${layer}&at=5/38/-95`);
  await page.waitForSelector('#map[aria-busy="false"]');
  const drag = async () => {
    await page.mouse.move(500, 400);
    await page.mouse.down();
    for (let i = 1; i <= 120; i++) {
      const turn = (i / 120) * 2 * Math.PI;
      await page.mouse.move(500 + 180 * Math.sin(turn), 400 + 120 * (1 - Math.cos(turn)));
    }
    await page.mouse.up();
  };
  await drag(); // so that all tiles are there
  await page.waitForTimeout(1500);
  const blanks = page.evaluate(async () => {
    let [frames, blank, on] = [0, 0, true];
    window.enough = () => (on = false);
    while (on) {
      await new Promise(requestAnimationFrame);
      frames++;
      const boxes = [...document.querySelectorAll('.leaflet-heat-pane img.leaflet-tile-loaded')].map((tile) => tile.getBoundingClientRect());
      const covered = (x, y) => boxes.some(({ left, right, top, bottom }) => left <= x && x < right && top <= y && y < bottom);
      for (let x = 1; x < innerWidth; x += 64) for (let y = 1; y < innerHeight; y += 64) if (!covered(x, y)) (blank++, (x = innerWidth), (y = innerHeight));
    }
    return { frames, blank };
  });
  await drag();
  await page.evaluate(() => window.enough());
  const seen = await blanks;
  const events = await traced(page, drag);
  const drawn = events.filter((event) => event.name === 'DrawFrame').map((event) => event.ts / 1000).sort((a, b) => a - b);
  const gaps = drawn.slice(1).map((time, i) => time - drawn[i]).filter((gap) => gap < 1000);
  const span = drawn.at(-1) - drawn[0];
  console.log(
    `${layer}: pan at ${((1000 * gaps.length) / span).toFixed(0)} frames a second, ${ms(quantile(gaps, 0.5))} between frames, ${ms(quantile(gaps, 0.95))} at the 95th percentile; ${seen.blank} of ${seen.frames} frames with a blank`,
  );
  await page.context().close();
}
await chromium.close();
