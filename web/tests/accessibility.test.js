// Findings of axe-core in the states of the pages, in light and dark.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { FLOORS, PROGRAM, serve, serveIn, STOCKHOLM, WEEKS } from './kiln.js';

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

/** The ways to see a page. */
const LOOKS = {
  'in light': {},
  'in the dark': { colorScheme: 'dark' },
  'on a phone': PHONE,
  'on a phone in the dark': { ...PHONE, colorScheme: 'dark' },
  'in a narrow sidebar': { viewport: { width: 320, height: 700 } },
};
const KEY = 'kiln_of_axe';
const KEYS = `[server]\nsigning_secret = "a-secret-of-this-test"\n[keys.axe]\nhash = "sha256:${createHash('sha256').update(KEY).digest('hex')}"\nrights = ["read", "sign"]\nrate = 4\nburst = 30\n`;

/** Fails if a part of the page needs a scroll to the side, or is out of the window. */
async function assertFits(page, selector) {
  const { left, right, width, scroll } = await page.evaluate((selector) => {
    const { left, right } = document.querySelector(selector).getBoundingClientRect();
    return { left, right, width: innerWidth, scroll: document.documentElement.scrollWidth };
  }, selector);
  assert.ok(left >= 0 && right <= width && scroll <= width, JSON.stringify({ selector, left, right, width, scroll }));
}

describe('axe-core finds nothing with a key:', () => {
  let keyed;
  before(async () => (keyed = await serve(KEYS + FLOORS)));
  after(() => keyed?.stop());

  /** Opens a page; its complaints are those of requests without a key. */
  async function visitKeyed(path, options, key) {
    const { page } = await chromium.page(options, [keyed.url]);
    if (key) await page.addInitScript((key) => sessionStorage.setItem('kiln.token', key), key);
    await page.goto(`${keyed.url}/${path}`);
    return page;
  }

  for (const [look, options] of Object.entries(LOOKS)) {
    test(`the dialog of the key, with and without a problem, ${look}`, async () => {
      for (const path of ['#layer=one&at=6/59/18', 'matrix/one']) {
        const page = await visitKeyed(path, options);
        await page.waitForSelector('dialog[open]');
        await assertClean(page);
        await assertFits(page, 'dialog[open]');
        await page.keyboard.type('wrong');
        await page.keyboard.press('Enter');
        await page.waitForSelector('dialog[open] .add-status.error');
        await assertClean(page);
        await page.keyboard.press('Escape');
        await page.waitForSelector('#banner:not([hidden])');
        await assertClean(page);
        await assertFits(page, '#banner');
        await page.context().close();
      }
    });

    test(`the access of the code and the name of the key, ${look}`, async () => {
      for (const path of [`#layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`, 'matrix/one#x=lon&y=lat']) {
        const page = await visitKeyed(path, options, KEY);
        await page.waitForSelector(path.startsWith('#') ? '#map[aria-busy="false"]' : '#chart-frame[aria-busy="false"]');
        if (await page.isHidden('#controls')) await page.click('#fold');
        await page.evaluate(() => (document.getElementById('take').open = true));
        await page.selectOption('#code-key', JSON.stringify(['axe', '1h']));
        await page.waitForFunction(() => /sig=/.test(document.getElementById('snippet').textContent));
        await page.waitForFunction(() => document.getElementById('wait')?.hidden ?? true);
        await assertClean(page);
        await assertFits(page, '#code-key');
        await page.context().close();
      }
    });

    test(`requests that wait, ${look}`, async () => {
      const page = await visitKeyed(`#layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`, options, KEY);
      // What is left of the rate.
      await page.evaluate((key) => Promise.all(Array.from({ length: 60 }, () => fetch('catalog', { headers: { authorization: `Bearer ${key}` } }))), KEY);
      await page.evaluate(() => (location.hash = location.hash.replace('at=6', 'at=9')));
      await page.waitForSelector('#wait:not([hidden])');
      await assertFits(page, '#wait');
      await assertClean(page);
      await page.context().close();
    });

    test(`the page of a surface without a key, ${look}`, async () => {
      const page = await visitKeyed('office/surface', options);
      await page.waitForSelector('#key-form');
      await assertClean(page);
      await assertFits(page, '#key-form');
      await page.context().close();
    });
  }

  test('the dialog of the key is used by the keyboard alone', async () => {
    const page = await visitKeyed('#layer=one&at=6/59/18', {});
    await page.waitForSelector('dialog[open]');
    const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent ?? document.activeElement.tagName);
    assert.equal(await page.evaluate(() => document.activeElement.type), 'password');
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'Continue');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    assert.equal(await focused(), 'Close');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => !document.querySelector('dialog'));
    // The way back is the button of the banner.
    await page.focus('#retry');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.type(KEY);
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    await page.waitForSelector('#key');
    await page.focus('#key');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'key', 'the focus returns');
    await page.context().close();
  });
});

describe('axe-core finds nothing with a damaged layer:', () => {
  let home, damaged;
  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'kiln-web-'));
    writeFileSync(join(home, 'a.csv'), 'lon,lat\n18,59\n19,60\n');
    for (const more of [[], ['--append']]) assert.equal(spawnSync(PROGRAM, ['import', 'a.csv', '--layer', 'worn', ...more], { cwd: home }).status, 0);
    const segment = join(home, 'store/worn/00000001.points.arrow');
    const bytes = readFileSync(segment);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(segment, bytes);
    damaged = await serveIn(home);
  });
  after(() => {
    damaged?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  for (const [look, options] of Object.entries(LOOKS)) {
    test(`what is left out and why, ${look}`, async () => {
      for (const path of ['#layer=worn', 'matrix/worn#x=lon&y=lat']) {
        const { page, done } = await visit(path, options, damaged);
        await page.waitForSelector(path.startsWith('#') ? '#map[aria-busy="false"]' : '#chart-frame[aria-busy="false"]');
        // Visible before the sheet of a phone is open, too.
        if (await page.isHidden('#controls')) {
          assert.ok((await page.isVisible('#damage')) || (await page.isVisible('#sheet-title .error')));
          await page.click('#fold');
        }
        await page.waitForSelector('#damage');
        await assertClean(page);
        await page.focus('#damage summary');
        await page.keyboard.press('Enter');
        await page.waitForSelector('#damage li');
        await assertClean(page);
        await assertFits(page, '#damage');
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
