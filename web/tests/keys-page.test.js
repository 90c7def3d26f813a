// What visitors of a server with keys take away, and what they see when their key changes.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { blockStorage, open } from './browser.js';
import { FLOORS, serve, site, STOCKHOLM, WEEKS } from './kiln.js';

const SECRETS = { reader: 'kiln_reader_secret', pages: 'kiln_pages_secret', signer: 'kiln_signer_secret', writer: 'kiln_writer_secret', slow: 'kiln_slow_secret' };
const TOKEN = 'owner_token_secret';
const table = (name, more = '') => `[keys.${name}]\nhash = "sha256:${createHash('sha256').update(SECRETS[name]).digest('hex')}"\n${more}\n`;
const KEYS = {
  reader: table('reader'),
  pages: table('pages', 'origins = ["*"]'),
  signer: table('signer', 'rights = ["read", "sign"]\nlayers = ["one", "days"]'),
  writer: table('writer', 'rights = ["read", "write"]\norigins = ["*"]'),
  slow: table('slow', 'rate = 4\nburst = 12'),
};
const SERVER = `[server]\ntoken = "${TOKEN}"\nsigning_secret = "a-secret-of-this-test"\ncors_origins = ["*"]\n`;
const IS_READY = '#map[aria-busy="false"]';
const VIEW = `#layer=one&at=7/${STOCKHOLM.lat}/${STOCKHOLM.lng}`;

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(SERVER + Object.values(KEYS).join('') + WEEKS + FLOORS), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

/** Opens a page of the server with a key in the tab. */
async function visit(path, key, { server = kiln, options = {} } = {}) {
  const opened = await chromium.page(options, [server.url]);
  const { page } = opened;
  await page.addInitScript((key) => !sessionStorage.getItem('kiln.token') && key && sessionStorage.setItem('kiln.token', key), key);
  await page.goto(`${server.url}/${path}`);
  // The browser requests the catalog before the page sends the key.
  const done = async () => {
    const isPreload = (text) => text === `401 ${server.url}/catalog` || text.includes('status of 401');
    assert.deepEqual(opened.complaints.filter((text) => !isPreload(text)), []);
    await page.context().close();
  };
  return { ...opened, done };
}

const hasTiles = (page) => page.waitForFunction(() => [...document.querySelectorAll('img.leaflet-tile')].some(({ complete, naturalWidth }) => complete && naturalWidth > 0));
const dialogText = (page) => page.textContent('dialog[open]');

/** Opens the code of the page and returns it. */
async function code(page, kind) {
  await page.evaluate(() => (document.getElementById('take').open = true));
  await page.waitForFunction(() => document.getElementById('snippet').textContent);
  await page.waitForSelector('#code-key');
  if (kind) await page.click(`.tab:text-is("${kind}")`);
  return page.textContent('#snippet');
}

/** Where a secret would be published. */
const published = (page) =>
  page.evaluate(() => [document.documentElement.outerHTML, location.href, document.title, JSON.stringify(history.state), ...performance.getEntriesByType('resource').map(({ name }) => name)].join('\n'));

describe('the code of a page with a key', () => {
  test('has the key where it is made for pages, and works on another site', async () => {
    const { page, done } = await visit(VIEW, SECRETS.pages);
    await page.waitForSelector(IS_READY);
    assert.match(await code(page, 'Leaflet'), /key=kiln_pages_secret/);
    assert.match(await page.textContent('#code-note'), /has the key pages, which browsers can use on all pages only/);
    assert.match(await code(page, 'MapLibre'), /one\?[^']*key=kiln_pages_secret/);
    const text = await code(page, 'curl');
    assert.match(text, /-H "Authorization: Bearer \$KILN_KEY"/);
    assert.ok(!text.includes(SECRETS.pages));
    // The choice of a key that the reader fills in.
    await page.selectOption('#code-key', 'fill');
    assert.match(await code(page, 'Leaflet'), /key=YOUR_KEY/);
    await done();
    const tiles = await fetch(`${kiln.url}/one/0/0/0.png?key=${SECRETS.pages}`, { headers: { origin: 'https://other.example' } });
    assert.equal(tiles.status, 200);
  });

  for (const name of ['writer', 'reader', 'owner']) {
    test(`never has that of the ${name}`, async () => {
      const secret = SECRETS[name] ?? TOKEN;
      const { page, requested, done } = await visit(VIEW, secret);
      await page.waitForSelector(IS_READY);
      await hasTiles(page);
      for (const kind of ['Web page', 'Leaflet', 'MapLibre', 'OpenLayers', 'Google Maps', 'curl']) {
        const text = await code(page, kind);
        assert.match(text, kind === 'curl' ? /\$KILN_KEY/ : /key=YOUR_KEY/, kind);
        assert.ok(!text.includes(secret), kind);
      }
      assert.equal(await page.locator('#code-key option[value="own"]').count(), 0);
      assert.ok(!(await published(page)).includes(secret));
      await page.goto(`${kiln.url}/matrix/weeks#x=hour&y=weekday`);
      await page.waitForSelector('#chart-frame[aria-busy="false"]');
      assert.match(await code(page), /key=YOUR_KEY/);
      assert.ok(!(await published(page)).includes(secret));
      assert.deepEqual(requested.filter((url) => url.includes(secret)), []);
      await done();
    });
  }

  test('has a signed URL of the layer, which the visitor asks for', async () => {
    const { page, requested, done } = await visit(VIEW, SECRETS.signer);
    await page.waitForSelector(IS_READY);
    await code(page, 'curl');
    assert.ok(!requested.some((url) => url.endsWith('/sign')));
    await page.selectOption('#code-key', JSON.stringify(['signer', '1h']));
    await page.waitForFunction(() => /sig=/.test(document.getElementById('snippet').textContent));
    assert.match(await page.textContent('#code-note'), /Everybody who has the code can read this layer as the key signer does, until /);
    for (const [, url] of (await code(page, 'curl')).matchAll(/'(http[^']+)'/g)) assert.equal((await fetch(url)).status, 200, url);
    const text = await code(page, 'Web page');
    assert.ok(!text.includes(SECRETS.signer) && text.includes('sig='));
    // Another layer needs another signature.
    await page.evaluate(() => (location.hash = 'layer=days&at=2/20/0'));
    await page.waitForFunction(() => /days\?/.test(document.getElementById('snippet').textContent));
    assert.match(await code(page), /key=YOUR_KEY/);
    await done();
    // The page works on another site, with tiles and legend.
    const other = await site({ '/': text.replaceAll('https://unpkg.com/leaflet@1.9.4/', '/node_modules/leaflet/').replaceAll('https://unpkg.com/topojson-client@3.1.0/', '/node_modules/topojson-client/') });
    const shown = await chromium.page({}, [kiln.url, other.url]);
    await shown.page.goto(other.url);
    await hasTiles(shown.page);
    await shown.page.waitForFunction(() => document.querySelector('img.legend')?.naturalWidth > 0);
    await shown.done();
    other.stop();
  });

  test('is signed by the owner for a key', async () => {
    const { page, done } = await visit('matrix/days#x=hour&y=weekday', TOKEN);
    await page.waitForSelector('#chart-frame[aria-busy="false"]');
    await code(page);
    assert.deepEqual(await page.locator('#code-key optgroup').evaluateAll((groups) => groups.map(({ label }) => label)), ['pages', 'reader', 'signer', 'slow', 'writer'].map((key) => `Signed URL as ${key}`));
    await page.selectOption('#code-key', JSON.stringify(['reader', '1d']));
    await page.waitForFunction(() => /sig=/.test(document.getElementById('snippet').textContent));
    const [, url] = /fetch\('([^']+)'/.exec(await page.textContent('#snippet'));
    assert.equal((await fetch(url)).status, 200);
    await done();
  });

  test('says why it cannot be signed', async () => {
    const own = await serve(SERVER + KEYS.signer);
    const { page } = await visit(VIEW, SECRETS.signer, { server: own });
    await page.waitForSelector(IS_READY);
    await code(page);
    await own.reload(readFileSync(join(own.home, 'kiln.toml'), 'utf8').replace('"read", "sign"', '"read"'));
    await page.selectOption('#code-key', JSON.stringify(['signer', '1h']));
    await page.waitForFunction(() => /does not have the right `sign`/.test(document.getElementById('code-note').textContent));
    assert.equal(await page.inputValue('#code-key'), 'fill');
    await page.context().close();
    own.stop();
  });
});

describe('files, matrices and surfaces', () => {
  test('are loaded with the key of the tab, which their links do not have', async () => {
    const { page, done } = await visit(VIEW, SECRETS.reader);
    await page.waitForSelector(IS_READY);
    await code(page);
    for (const id of ['png', 'tif']) {
      const [file] = await Promise.all([page.waitForEvent('download'), page.click(`#${id}`)]);
      assert.equal(file.suggestedFilename(), `one.${id}`);
      const bytes = readFileSync(await file.path());
      assert.ok(id === 'png' ? bytes.subarray(1, 4).toString() === 'PNG' : ['II', 'MM'].includes(bytes.subarray(0, 2).toString()));
    }
    await page.goto(`${kiln.url}/matrix/weeks#x=hour&y=weekday`);
    await page.waitForSelector('#chart-frame[aria-busy="false"]');
    assert.match(await page.textContent('.foot'), /Key: reader/);
    await code(page);
    const [csv] = await Promise.all([page.waitForEvent('download'), page.click('#as-csv')]);
    assert.match(readFileSync(await csv.path(), 'utf8'), /,/);
    await page.goto(`${kiln.url}/office/surface`);
    await page.waitForFunction(() => /people|points|detections|max|of/i.test(document.getElementById('scale')?.textContent ?? ''));
    assert.equal(await page.textContent('#title'), 'Office');
    await done();
  });

  test('of a mask need no key, and have its own colormap', async () => {
    const own = await serve(SERVER + table('pages', 'rights = ["queries"]'));
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${SECRETS.pages}` };
    const body = JSON.stringify({ mask: [[0, 1], [2, 3]], colormap: 'bone' });
    const { id } = await (await fetch(`${own.url}/masks`, { method: 'POST', headers, body })).json();
    const { page, done } = await visit(`masks/${id}/page`, '', { server: own });
    await page.waitForSelector('#view[aria-busy="false"]');
    assert.deepEqual(await page.locator('#colormap option').allTextContents(), ['bone']);
    assert.equal(await page.isVisible('#status'), false);
    await done();
    own.stop();
  });

  test('ask for the key in a new tab', async () => {
    for (const [path, form, ready] of [
      ['matrix/weeks#x=hour&y=weekday', 'dialog[open]', '#chart-frame[aria-busy="false"]:not([hidden])'],
      ['office/surface#cell=1', '#key-form', '#controls'],
    ]) {
      const { page } = await visit(path, '');
      await page.waitForSelector(form);
      await page.keyboard.type(SECRETS.reader);
      await page.keyboard.press('Enter');
      await page.waitForSelector(ready);
      assert.ok(page.url().includes(path.replace(/#.*/, '')), page.url());
      await page.context().close();
    }
  });
});

describe('the key of an open page', () => {
  test('that is revoked, or expires, is asked for again, with the reason, and the view stays', async () => {
    const own = await serve(SERVER + KEYS.reader);
    const config = readFileSync(join(own.home, 'kiln.toml'), 'utf8');
    const expired = config.replace('[keys.reader]', '[keys.reader]\nexpires = "2024-05-01"');
    const { page } = await visit(`${VIEW}&scheme=viridis`, SECRETS.reader, { server: own });
    await page.waitForSelector(IS_READY);
    const changes = [[expired, /The key has expired\./, '5/30/10'], [config.replaceAll(/keys\.reader\]\nhash = .*/g, `keys.other]\nhash = "sha256:${'0'.repeat(64)}"`), /The key is unknown\./, '4/50/10']];
    for (const [text, reason, at] of changes) {
      await own.reload(text);
      await page.evaluate((at) => (location.hash = location.hash.replace(/at=[^&]*/, `at=${at}`)), at);
      await page.waitForSelector('dialog[open]');
      assert.match(await dialogText(page), reason);
      // Closed, it can be opened again by the banner.
      await page.keyboard.press('Escape');
      await page.waitForSelector('#banner:not([hidden])');
      assert.equal(await page.textContent('#retry'), 'Enter a key');
      await page.click('#retry');
      await page.waitForSelector('dialog[open]');
      const view = page.url();
      await own.reload(config);
      await page.keyboard.type(SECRETS.reader);
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
      await page.waitForSelector(IS_READY);
      await hasTiles(page);
      assert.equal(page.url(), view);
      assert.equal(await page.evaluate(() => document.querySelector('dialog[open]')), null);
    }
    await page.context().close();
    own.stop();
  });

  test('is checked before it is used: a wrong key, text that is none, one of other pages, and a server that is gone', async () => {
    const own = await serve(SERVER + KEYS.reader + table('pages', 'origins = ["https://maps.example"]') + table('writer', 'rights = ["jobs"]'));
    const { page } = await visit(VIEW, '', { server: own });
    await page.waitForSelector('dialog[open]');
    const status = (pattern) => page.waitForFunction((pattern) => new RegExp(pattern).test(document.querySelector('dialog[open] .add-status').textContent), pattern);
    for (const [key, reason] of [
      ['wrong', 'The key is unknown\\.'],
      ['schlüssel', 'no other characters'],
      [SECRETS.pages, 'may not be used by this page'],
      [SECRETS.writer, 'does not have the right `read`'],
    ]) {
      await page.fill('dialog input', key);
      await page.keyboard.press('Enter');
      await status(reason);
      assert.equal(await page.getAttribute('dialog input', 'aria-invalid'), 'true');
      assert.equal(await page.evaluate(() => sessionStorage.getItem('kiln.token')), null);
    }
    own.stop();
    await page.fill('dialog input', SECRETS.reader);
    await page.keyboard.press('Enter');
    await status('cannot be reached');
    // Nothing is lost.
    assert.equal(await page.inputValue('dialog input'), SECRETS.reader);
    await page.context().close();
  });

  test('stays for a reload of the tab, and another tab asks again', async () => {
    const { page } = await visit(VIEW, '');
    await page.waitForSelector('dialog[open]');
    await page.fill('dialog input', `Bearer ${SECRETS.reader} `);
    await page.keyboard.press('Enter');
    await hasTiles(page);
    await page.reload();
    await hasTiles(page);
    assert.equal(await page.evaluate(() => document.querySelector('dialog[open]')), null);
    const other = await page.context().newPage();
    await other.goto(`${kiln.url}/${VIEW}`);
    await other.waitForSelector('dialog[open]');
    // The visitor can forget it.
    await page.click('#key');
    await page.click('dialog[open] button:text-is("Forget the key")');
    await page.waitForFunction(() => /This server needs a key/.test(document.querySelector('dialog[open]')?.textContent ?? ''));
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await page.context().close();
  });

  test('is used until the page is left, where the browser blocks session storage', async () => {
    const opened = await chromium.page({}, [kiln.url]);
    const { page } = opened;
    await page.addInitScript(blockStorage);
    await page.goto(`${kiln.url}/${VIEW}`);
    await page.waitForSelector('dialog[open]');
    assert.match(await dialogText(page), /This browser blocks session storage: the key is forgotten when the page is left or loaded again\./);
    await page.fill('dialog input', SECRETS.reader);
    await page.keyboard.press('Enter');
    await hasTiles(page);
    assert.match(await page.textContent('#key'), /Key: reader/);
    assert.ok(!(await published(page)).includes(SECRETS.reader));
    // The page of a layer in meters is loaded again, with the key.
    await page.evaluate(() => (location.hash = 'layer=office'));
    await page.waitForFunction(() => document.querySelector('#key')?.textContent === 'Key: reader' && document.title.startsWith('Office'));
    assert.equal(await page.evaluate(() => document.querySelector('dialog[open]')), null);
    assert.ok(!(await published(page)).includes(SECRETS.reader));
    // A reload by the visitor asks again, with the same reason as at first.
    await page.reload();
    await page.waitForSelector('dialog[open]');
    assert.match(await dialogText(page), /This server needs a key/);
    assert.ok(!(await dialogText(page)).includes('any more'));
    await page.context().close();
  });

  test('that does not allow the layer of a link shows another one, with the reason', async () => {
    const { page, done } = await visit(`#layer=weeks`, SECRETS.signer);
    await page.waitForSelector(IS_READY);
    assert.match(await page.textContent('#notice'), /There is no layer `weeks`, or the key does not allow it; showing /);
    await done();
    const own = await serve(SERVER + table('reader', 'layers = ["later"]'));
    const empty = await visit('', SECRETS.reader, { server: own });
    await empty.page.waitForSelector('#empty:not([hidden])');
    assert.match(await empty.page.textContent('#empty'), /No layers for this key.*The key `reader` allows no layer/s);
    await empty.page.click('#empty #key');
    await empty.page.waitForSelector('dialog[open]');
    await empty.done();
    own.stop();
  });

  test('that an anonymous one replaces is reported', async () => {
    const own = await serve(SERVER + KEYS.reader + '[keys.anonymous]\nlayers = ["one"]\n');
    const { page } = await visit(VIEW, 'kiln_of_yesterday', { server: own });
    await hasTiles(page);
    assert.match(await page.textContent('#notice'), /not accepted any more\. The key is unknown\. The page shows what is visible without a key\./);
    await page.click('#key:text-is("Enter a key")');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.type(SECRETS.reader);
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    await page.waitForSelector('#key:text-is("Key: reader")');
    // What everybody sees needs no key in the code.
    const visitor = await visit(VIEW, '', { server: own });
    await hasTiles(visitor.page);
    await visitor.page.evaluate(() => (document.getElementById('take').open = true));
    await visitor.page.waitForFunction(() => /one\//.test(document.getElementById('snippet').textContent));
    assert.ok(!/key=/.test(await visitor.page.textContent('#snippet')));
    await visitor.done();
    await page.context().close();
    own.stop();
  });

  test('that is limited in rate lets the page wait, which then completes', async () => {
    const { page } = await visit(VIEW, SECRETS.slow);
    await page.waitForSelector('#wait:not([hidden])');
    assert.match(await page.textContent('#wait'), /The page waits\. The rate of the key is exceeded, keys\.slow\.rate of the config\./);
    await page.waitForSelector('#wait', { state: 'hidden' });
    await page.waitForFunction(() => [...document.querySelectorAll('img.leaflet-tile')].every(({ complete, naturalWidth }) => complete && naturalWidth > 0));
    assert.equal(await page.isVisible('#banner'), false);
    await page.context().close();
  });
});
