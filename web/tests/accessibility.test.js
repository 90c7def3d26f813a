// Findings of axe-core in the states of the pages, in light and dark.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { FLOORS, serve, STOCKHOLM, WEEKS } from './kiln.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(WEEKS + FLOORS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

async function visit(path, options, server = kiln) {
  const { page, done } = await chromium.page(options, [server.url]);
  await page.goto(`${server.url}/${path}`);
  return { page, done };
}

const shown = (page) => page.waitForSelector('#map[aria-busy="false"]');

/** Asserts that axe-core finds nothing. With the rule of target sizes, which is off by default. */
async function assertClean(page) {
  // Not by a script element, which the policy of the pages forbids.
  await page.evaluate(AXE);
  const findings = await page.evaluate(async () => {
    const { violations } = await axe.run(document, { rules: { 'target-size': { enabled: true } } });
    return violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html, failureSummary }) => `${id} (${impact}): ${html.slice(0, 160)}\n${failureSummary}`));
  });
  assert.deepEqual(findings, []);
}

/** The states of the map page: what leads to them. */
const STATES = {
  'the first view': { path: '#layer=days', then: (page) => page.waitForSelector('.histogram rect') },
  'the first view in the dark': { path: '#layer=days', options: { colorScheme: 'dark' }, then: (page) => page.waitForSelector('.histogram rect') },
  'all sections open': {
    path: '#layer=days&at=2/20/0',
    then: async (page) => {
      await page.waitForSelector('#categories:not([hidden])');
      await page.evaluate(() => document.querySelectorAll('#panel details').forEach((part) => (part.open = true)));
      await page.waitForSelector('.spots li');
    },
  },
  'the dialog that adds a layer': {
    path: '#layer=days&at=2/20/0',
    then: async (page) => {
      await page.click('#add-layer');
      await page.waitForSelector('dialog[open]');
    },
  },
  'playing times': {
    path: '#layer=days&at=2/20/0',
    then: async (page) => {
      await page.click('#play');
      await page.waitForFunction(() => location.hash.includes('time='));
    },
  },
  'a comparison': {
    path: `#layer=days&at=2/20/0&before=${encodeURIComponent('layer=days&at=2/20/0&scheme=viridis')}`,
    then: (page) => page.waitForSelector('#swipe:not([hidden])'),
  },
  'the statistics of an area': {
    path: '#layer=days&at=2/20/0&area=-70,10;20,10;20,30;-70,30',
    then: (page) => page.waitForSelector('#area[data-state="done"]:not([hidden])'),
  },
  'a value by keyboard': {
    path: `#layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`,
    then: async (page) => {
      await page.focus('#map');
      await page.keyboard.press('v');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.leaflet-popup');
    },
  },
  'a phone with an open sheet': {
    path: '#layer=days&at=2/20/0',
    options: PHONE,
    then: async (page) => {
      await page.tap('#fold');
      await page.waitForSelector('#controls:not([hidden])');
    },
  },
  'a phone with a closed sheet in the dark': { path: '#layer=days&at=2/20/0', options: { ...PHONE, colorScheme: 'dark' }, then: (page) => page.waitForSelector('#times:not([hidden])') },
  'a low screen': {
    path: '#layer=days&at=2/20/0',
    options: { ...PHONE, viewport: { width: 640, height: 360 } },
    then: async (page) => {
      await page.waitForSelector('#times:not([hidden])');
      await page.tap('#fold');
    },
  },
};

describe('axe-core finds nothing:', () => {
  for (const [name, { path, options, then }] of Object.entries(STATES)) {
    test(name, async () => {
      const { page, done } = await visit(path, options);
      await shown(page);
      await then(page);
      await assertClean(page);
      await done();
    });
  }

  test('a server that is gone', async () => {
    const own = await serve();
    const { page } = await visit('#layer=one&at=6/59/18', {}, own);
    await shown(page);
    own.stop();
    await page.evaluate(() => (location.hash = 'layer=one&at=6/59/130'));
    await page.waitForSelector('#banner:not([hidden])');
    await page.waitForFunction(() => /reached/.test(document.getElementById('banner').textContent));
    await assertClean(page);
    await page.context().close();
  });

  test('a server without layers', async () => {
    const own = await serve('', { layers: false });
    // Without any layer the server has bundled ones.
    await fetch(`${own.url}/first`, { method: 'PUT' });
    const restarted = await own.restart();
    await fetch(`${restarted.url}/first`, { method: 'DELETE' });
    for (const options of [{}, PHONE]) {
      const { page, done } = await visit('', options, restarted);
      await page.waitForSelector('#empty:not([hidden])');
      await assertClean(page);
      await done();
    }
    restarted.stop();
  });

  for (const [name, options] of Object.entries({ light: {}, dark: { colorScheme: 'dark' }, 'on a phone': PHONE })) {
    test(`a floor and a matrix, ${name}`, async () => {
      for (const path of ['#layer=office', 'matrix/weeks#x=hour&y=weekday']) {
        const { page, done } = await visit(path, options);
        await page.waitForSelector(path.startsWith('#') ? '#map[aria-busy="false"]' : '#chart-frame[aria-busy="false"]');
        await page.waitForTimeout(500);
        await assertClean(page);
        await done();
      }
    });
  }
});

describe('headings and landmarks', () => {
  test('a map page has one main landmark, one title, and a heading for each part of the panel', async () => {
    for (const options of [{}, PHONE]) {
      const { page, done } = await visit('#layer=days&at=2/20/0', options);
      await shown(page);
      await page.waitForSelector('#times:not([hidden])');
      assert.equal(await page.locator('main').count(), 1);
      assert.deepEqual(await page.getByRole('heading', { level: 1 }).allTextContents(), ['Seven days']);
      if (!options.isMobile) assert.deepEqual(await page.getByRole('heading', { level: 2 }).allTextContents(), ['Settings', 'Time']);
      for (const name of ['Heat map', 'Time']) assert.equal(await page.getByRole('region', { name, exact: true }).count(), 1, name);
      await done();
    }
  });
});
