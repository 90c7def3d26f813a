// A layer of daily bins: the time slider moves by whole days, and no request cuts one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { open } from './browser.js';
import { serve } from './kiln.js';

const DAYS = 20;
const day = (number) => new Date(Date.UTC(2026, 10, 1 + number)).toISOString().slice(0, 10);

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
  const rows = Array.from({ length: DAYS }, (_, number) => `12,${2048 + number},1400,${1 + number},${2 + number},2,${day(number)},${number % 2 ? 'tram' : 'bus'}`);
  const body = ['level,cell_x,cell_y,n,weight,max_weight,time,category', ...rows].join('\n');
  const stored = await fetch(`${kiln.url}/daily/points`, { method: 'PUT', headers: { 'content-type': 'text/csv' }, body });
  assert.equal(stored.status, 201, await stored.text());
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

const idle = (page) => page.waitForSelector('#map[aria-busy="false"]');
/** Waits until the window is that of some days. */
const window = (page, first, end) => {
  const time = `time=${day(first)}T00:00:00.000Z..${day(end)}T00:00:00.000Z`;
  return page.waitForFunction((expected) => decodeURIComponent(location.hash).includes(expected), time);
};
const range = (page) => page.$eval('#range-value', (output) => output.textContent);
const drag = (page, id, value) =>
  page.$eval(`#${id}`, (slider, to) => {
    slider.value = to;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
  }, String(value));

test('the time slider, frames and bars of daily bins have whole days', async () => {
  const { page, whenRequested, done } = await chromium.page({}, [kiln.url]);
  await page.goto(`${kiln.url}/#layer=daily&at=5/48/1`);
  await page.waitForSelector('#time-bars rect.in');
  await idle(page);
  // A bar per day, the last one as wide as the others.
  const bars = await page.$$eval('#time-bars rect', (all) => all.map((bar) => Number(bar.getAttribute('width')).toFixed(2)));
  assert.deepEqual(bars, Array(DAYS).fill(bars[0]));
  const lengths = await page.$$eval('#frame-length option', (all) => all.map(({ value }) => value));
  assert.deepEqual(lengths, ['1d', '1w']);
  await page.click('#next-frame');
  await window(page, 0, 1);
  await drag(page, 'to', 517);
  await window(page, 0, 10);
  await drag(page, 'from', 499);
  // The narrowest window is a day.
  await drag(page, 'from', 516);
  await window(page, 10, 11);
  await drag(page, 'to', 1000);
  await window(page, 10, DAYS);
  await page.click('#previous-frame');
  await idle(page);
  assert.equal(await page.$eval('#time-parts .chips.hours', (hours) => hours.hidden), true);
  await whenRequested((url) => url.includes('start='));
  await done();
});

test('a link with parts of a day opens the nearest days', async () => {
  const { page, done } = await chromium.page({}, [kiln.url]);
  await page.goto(`${kiln.url}/#layer=daily&at=5/48/1&time=2026-11-03T07:00:00.000Z..2026-11-04T16:00:00.000Z&hours=7-9`);
  await page.waitForSelector('#times:not([hidden])');
  await idle(page);
  assert.equal(await range(page), '2026-11-03 00:00 – 11-05 00:00 UTC');
  // The statistics of an area have times and categories, and no distribution of weights.
  await page.goto(`${kiln.url}/#layer=daily&at=5/48/1&area=-10,40;20,40;20,60;-10,60`);
  await page.reload();
  await page.waitForFunction(() => /210/.test(document.body.textContent));
  await idle(page);
  await done();
});
