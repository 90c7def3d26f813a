// The plain page, which a binary built without npm has.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { blockStorage, isHot, middle, open } from './browser.js';
import { FLOORS, serve, STOCKHOLM, WEEKS } from './kiln.js';

const file = (name) => readFileSync(new URL(`../plain/${name}`, import.meta.url));
const FILES = {
  '': ['index.html', 'text/html'],
  'assets/page.js': ['page.js', 'text/javascript'],
  'assets/key.js': ['key.js', 'text/javascript'],
  'assets/requests.js': ['requests.js', 'text/javascript'],
  'assets/land.js': ['land.js', 'text/javascript'],
  'assets/page.css': ['page.css', 'text/css'],
  'matrix/weeks': ['matrix.html', 'text/html'],
  'assets/matrix.js': ['matrix.js', 'text/javascript'],
  'assets/leaflet.js': ['vendor/leaflet.js', 'text/javascript'],
  'assets/leaflet.css': ['vendor/leaflet.css', 'text/css'],
  'assets/land.json': ['vendor/land.json', 'application/json'],
};

const SECRET = 'kiln_reader_secret';
const KEYS = `[server]\nlocal_writes = false\n[keys.reader]\nhash = "sha256:${createHash('sha256').update(SECRET).digest('hex')}"\n`;

let kiln, keyed, chromium;
before(async () => {
  [kiln, keyed, chromium] = await Promise.all([serve(), serve(KEYS + WEEKS + FLOORS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  keyed?.stop();
});

/** Opens a plain page, whatever page the binary has. */
async function openPlain(server, path, options) {
  const { blocksStorage, ...others } = options ?? {};
  const visitor = await chromium.page(others, [server.url]);
  if (blocksStorage) await visitor.page.addInitScript(blockStorage);
  for (const [path, [name, contentType]] of Object.entries(FILES)) {
    await visitor.page.route(`${server.url}/${path}`, (route) => route.fulfill({ contentType, body: file(name) }));
  }
  await visitor.page.goto(`${server.url}/${path}`);
  return visitor;
}

/** Opens the plain page of a server without keys. */
async function visit(state, options) {
  const visitor = await openPlain(kiln, `#${state}`, options);
  await visitor.page.waitForSelector('#map[aria-busy="false"] img.heat');
  return visitor;
}

const hasTiles = (page) => page.waitForFunction(() => [...document.querySelectorAll('img.leaflet-tile')].some(({ complete, naturalWidth }) => complete && naturalWidth > 0));
const enter = async (page, key) => {
  await page.waitForSelector('#key-form');
  await page.fill('#key-form input', key);
  await page.keyboard.press('Enter');
};

describe('one picture of the view', () => {
  test('is repeated where the view is wider than the world, without a gap or a second request', async () => {
    const { page, requested, done } = await visit('layer=one&mode=overlay&at=1/0/60', { viewport: { width: 1300, height: 500 } });
    assert.equal(await page.inputValue('#mode'), 'overlay');
    await page.evaluate(() => (document.getElementById('panel').style.visibility = 'hidden'));
    await page.waitForTimeout(500);
    const seen = await chromium.look(page);
    const x = 650 + ((STOCKHOLM.lng - 60) / 360) * 512;
    const copies = [x - 512, x, x + 512].map((at) => middle({ width: 40, height: 400, at: (column, row) => seen.at(Math.round(at) - 20 + column, row) }, isHot));
    for (const { x: found, count } of copies) assert(count > 20 && Math.abs(found - 20) < 1.5, JSON.stringify(copies));
    const edges = await page.$$eval('img.heat', (images) => images.map((image) => image.getBoundingClientRect()).map(({ left, right }) => [left, right]).sort((a, b) => a[0] - b[0]));
    assert(edges[0][0] <= 0 && edges.at(-1)[1] >= 1300, JSON.stringify(edges));
    for (const [i, [left]] of edges.slice(1).entries()) assert(Math.abs(left - edges[i][1]) < 0.51, JSON.stringify(edges));
    assert.equal(requested.filter((url) => url.endsWith('/overlays')).length, 1);
    await page.evaluate(() => (document.getElementById('panel').style.visibility = ''));
    await page.selectOption('#mode', 'tiles');
    await page.waitForSelector('.leaflet-tile-loaded.heat, .heat .leaflet-tile-loaded');
    assert.equal(await page.locator('.leaflet-image-layer').count(), 0, 'all copies are removed');
    await done();
  });

  test('is a single one elsewhere', async () => {
    const { page, done } = await visit(`layer=one&mode=overlay&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`);
    assert.equal(await page.locator('.leaflet-image-layer').count(), 1);
    await done();
  });
});

describe('a server with keys', () => {
  test('asks for a key, in one line, and sends it with tiles, legends, pictures and values', async () => {
    const { page, requested } = await openPlain(keyed, `#layer=one&at=6/${STOCKHOLM.lat}/${STOCKHOLM.lng}`);
    await page.waitForSelector('#key-form');
    assert.equal(await page.textContent('#key-about'), 'This server needs a key.');
    assert.equal(await page.textContent('#status'), '');
    await enter(page, 'wrong');
    await page.waitForFunction(() => document.getElementById('key-about')?.textContent === 'The server does not accept the key of this tab: the key is unknown.');
    await enter(page, SECRET);
    await hasTiles(page);
    await page.waitForFunction(() => document.querySelector('#legend img')?.naturalWidth > 0);
    assert.match(await page.textContent('#snippet'), /key=YOUR_KEY/);
    await page.click('#map', { position: { x: 300, y: 300 } });
    await page.waitForFunction(() => /within/.test(document.querySelector('.value')?.textContent ?? ''));
    await page.selectOption('#mode', 'overlay');
    await page.waitForFunction(() => document.querySelector('.leaflet-image-layer.heat')?.naturalWidth > 0);
    assert.match(await page.textContent('#snippet'), /Authorization: 'Bearer YOUR_KEY'/);
    // Layers in meters need another page.
    await page.selectOption('#layer', 'office');
    await page.waitForFunction(() => document.querySelector('img.plan')?.naturalWidth > 0);
    assert.deepEqual(requested.filter((url) => url.includes(SECRET)), []);
    assert.ok(!(await page.evaluate(() => document.documentElement.outerHTML + location.href + JSON.stringify(history.state))).includes(SECRET));
    await page.context().close();
  });

  test('has a page of matrices that sends the key, also for its files', async () => {
    const { page } = await openPlain(keyed, 'matrix/weeks#x=hour&y=weekday');
    await enter(page, SECRET);
    await page.waitForFunction(() => document.getElementById('picture')?.naturalWidth > 0);
    const [csv] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
    assert.equal(csv.suggestedFilename(), 'weeks.csv');
    assert.match(readFileSync(await csv.path(), 'utf8'), /,/);
    await page.context().close();
  });

  test('takes the token of the printed link', async () => {
    let link;
    while (!(link = /http:\S+(#token=\w+)/.exec(keyed.log()))) await new Promise((done) => setTimeout(done, 20));
    const { page } = await openPlain(keyed, link[1]);
    await hasTiles(page);
    assert.ok(!page.url().includes('token='));
    await page.context().close();
  });

  test('shows its layers until the page is left, where the browser blocks session storage', async () => {
    const { page } = await openPlain(keyed, '#layer=one', { blocksStorage: true });
    await page.waitForSelector('#key-form');
    assert.match(await page.textContent('#key-form'), /blocks session storage: the key is forgotten/);
    await enter(page, SECRET);
    await hasTiles(page);
    assert.equal(await page.evaluate(() => history.state), null);
    await page.reload();
    await page.waitForSelector('#key-form');
    assert.equal(await page.textContent('#key-about'), 'This server needs a key.');
    await page.context().close();
  });
});
