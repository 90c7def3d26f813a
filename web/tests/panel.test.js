// The panel of the map page: its order, and the choice of colors.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { serve, WEEKS } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(WEEKS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

async function visit(state, server = kiln) {
  const visitor = await chromium.page({ viewport: { width: 1280, height: 1000 } }, [server.url]);
  await visitor.page.goto(`${server.url}/#${state}`);
  await visitor.page.waitForSelector('#map[aria-busy="false"]');
  return visitor;
}

describe('the order', () => {
  test('is title, sentence, source and times, then colors, scale and dots, then the rest', async () => {
    const { page, done } = await visit('layer=weeks');
    await page.waitForSelector('#when:not([hidden])');
    const tops = await page.evaluate(() =>
      ['layer', 'about', 'when', 'categories', 'time-parts', 'swatches', 'scheme', 'curve', 'radius', 'opacity', 'drawing', 'take'].map((id) => document.getElementById(id).getBoundingClientRect().top),
    );
    assert.deepEqual(tops, [...tops].sort((a, b) => a - b));
    assert(tops.every((top) => top > 0));
    assert.match(await page.textContent('#when'), /^Times: 2024-01-01 06:30 – 01-28 20:30 UTC$/);
    assert.equal(await page.textContent('#about'), '600 points; the color is the sum of delay per km².');
    // Without a source there is no line of it.
    assert.equal(await page.isVisible('#source'), false);
    await page.selectOption('#layer', 'one');
    assert.equal(await page.textContent('#source'), 'Source: Nobody & Sons');
    assert.equal(await page.textContent('#about'), '1 point; the color is the sum of people per km².');
    await page.waitForSelector('#when', { state: 'hidden' });
    await done();
  });

  test('expert settings are folded, and change the sentence', async () => {
    const { page, done } = await visit('layer=weeks');
    for (const id of ['agg', 'normalize', 'lock', 'mode', 'handover', 'compare']) assert.equal(await page.isVisible(`#${id}`), false, id);
    await page.click('#drawing summary');
    for (const id of ['agg', 'normalize', 'lock', 'mode', 'handover', 'compare']) assert.equal(await page.isVisible(`#${id}`), true, id);
    await page.selectOption('#agg', 'mean');
    assert.match(await page.textContent('#about'), / points; the color is the mean of delay\.$/);
    await page.selectOption('#agg', 'count');
    assert.match(await page.textContent('#about'), / points; the color is the number of points per km²\.$/);
    for (const label of ['Statistic', 'Scale maximum', 'Lock color scale']) assert.equal(await page.getByText(label, { exact: true }).count(), 1, label);
    assert.equal(await page.textContent('#take summary'), 'Embed & export');
    await done();
  });

  test('a layer alone is a plain title', async () => {
    const own = await serve('[layers.only]\ninput = "one.csv"\ntitle = "Only one"\n', { layers: false });
    const { page, done } = await visit('', own);
    assert.equal(await page.isVisible('#layer'), false);
    assert.equal(await page.innerText('#title'), 'Only one');
    assert((await page.locator('#title').boundingBox()).width > 50);
    await done();
    own.stop();
  });
});

describe('color schemes', () => {
  test('eight have swatches in their colors, and the others are in a list', async () => {
    const { page, whenRequested, done } = await visit('layer=one');
    const { schemes } = await kiln.json('catalog');
    const names = await page.$$eval('#swatches input', (inputs) => inputs.map(({ value }) => value));
    assert.equal(names.length, 8);
    assert.equal(await page.locator('#scheme option').count(), schemes.length);
    for (const [i, name] of names.entries()) {
      const { colors } = schemes.find((scheme) => scheme.name === name);
      const shown = await page.$eval(`.swatch:nth-child(${i + 1}) .colors`, (bar) => bar.style.background);
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(colors.at(-1).slice(at, at + 2), 16));
      assert(shown.includes(`rgb(${r}, ${g}, ${b})`), `${name}: ${shown}`);
    }
    await page.click('.swatch:has(input[value="viridis"])');
    await page.waitForFunction(() => location.hash.includes('scheme=viridis'));
    assert.equal(await page.inputValue('#scheme'), 'viridis');
    await page.waitForFunction(() => [...document.querySelectorAll('.leaflet-heat-pane img')].some(({ src }) => src.includes('scheme=viridis')));
    assert.equal(await page.isVisible('#ramp'), false);
    // From the list: no swatch is checked, and a bar shows the colors.
    await page.selectOption('#scheme', 'omg');
    await page.waitForFunction(() => location.hash.includes('scheme=omg'));
    await whenRequested((url) => url.includes('scheme=omg'));
    assert.equal(await page.locator('#swatches input:checked').count(), 0);
    assert.equal(await page.isVisible('#ramp'), true);
    // By keyboard.
    await page.selectOption('#scheme', 'heat');
    await page.focus('#swatches input[value="heat"]');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => document.getElementById('scheme').value === 'inferno');
    await done();
  });

  test('a reversed scheme of a link is in the list', async () => {
    const { page, done } = await visit('layer=one&scheme=viridis_r');
    assert.equal(await page.inputValue('#scheme'), 'viridis_r');
    await done();
  });

  /** Linear light of a color as `#rrggbb`. */
  const linear = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  /** Linear light as seen with a deficiency at its full severity: Machado, Oliveira and Fernandes 2009, table 1. */
  const VISION = {
    'normal vision': [1, 0, 0, 0, 1, 0, 0, 0, 1],
    protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
  };
  function lab(color, matrix) {
    const light = linear(color);
    const [r, g, b] = [0, 3, 6].map((row) => Math.min(Math.max(matrix[row] * light[0] + matrix[row + 1] * light[1] + matrix[row + 2] * light[2], 0), 1));
    const f = (t) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 * t + 16) / 116);
    const [x, y, z] = [(0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505, 0.2126 * r + 0.7152 * g + 0.0722 * b, (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089].map(f);
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
  }
  /** Why the colors are not safe, or null. */
  function danger(colors) {
    for (const [vision, matrix] of Object.entries(VISION)) {
      const seen = colors.map((color) => lab(color, matrix));
      const steps = seen.slice(1).map(([lightness], i) => Math.sign(lightness - seen[i][0]));
      if (new Set(steps).size > 1) return `the lightness changes its direction in ${vision}`;
      const quarter = (seen.length - 1) / 4;
      const least = Math.min(...seen.flatMap((a, i) => seen.slice(i + quarter).map((b) => Math.hypot(...a.map((part, k) => part - b[k])))));
      if (least < 10) return `colors differ by ${least.toFixed(1)} in ${vision}`;
    }
    return null;
  }

  test('those marked as safe are safe for color-blind people, and the others are not', async () => {
    const { page, done } = await visit('layer=one');
    const { schemes } = await kiln.json('catalog');
    const marked = await page.$$eval('.swatch', (labels) => labels.map((label) => [label.querySelector('input').value, label.textContent.includes('safe for color-blind people')]));
    assert(marked.some(([, safe]) => safe) && marked.some(([, safe]) => !safe));
    for (const [name, safe] of marked) {
      const found = danger(schemes.find((scheme) => scheme.name === name).colors);
      assert.equal(found === null, safe, `${name}: ${found}`);
    }
    await done();
  });
});
