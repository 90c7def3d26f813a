// The page of a server with keys: the link that the server prints, and visitors with and without a key.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { serve } from './kiln.js';

/** `printf kiln_of_tenant_a | sha256sum` */
const KEYS = '[server]\nlocal_writes = false\n[keys.tenant-a]\nhash = "sha256:f5ccedbec05e4e5d1b5c802f8cdbc87aab9b93c4b6a2ad1e5970728372be6b31"\n';
const ANONYMOUS = '[keys.anonymous]\nlayers = ["one"]\n';
const IS_READY = '#map[aria-busy="false"]';

let chromium;
before(async () => (chromium = await open()));
after(() => chromium.close());

/** The link that a server prints after its address. */
async function printedLink(server) {
  for (;;) {
    const found = /http:\S+#token=\w+/.exec(server.log());
    if (found) return found[0];
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Opens an address, and waits until the heat map is there. */
async function visit(server, url) {
  const opened = await chromium.page({}, [server.url]);
  await opened.page.goto(url);
  await opened.page.waitForSelector(IS_READY);
  return opened;
}

const hasTiles = (page) => page.waitForFunction(() => [...document.querySelectorAll('img.leaflet-tile')].some(({ complete, naturalWidth }) => complete && naturalWidth > 0));

const drop = (page) =>
  page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['lon,lat\n1,2\n3,4\n'], 'mine.csv'));
    for (const type of ['dragenter', 'dragover', 'drop']) document.getElementById('map').dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  });

async function add(page) {
  await drop(page);
  await page.waitForSelector('.columns');
  await page.click('.add-form .primary:enabled');
  await page.waitForFunction(() => document.getElementById('layer').value === 'mine');
}

describe('a server with keys', () => {
  test('shows its layers on the page of the link that it prints, and accepts files there', async () => {
    const own = await serve(KEYS);
    const { page, complaints } = await visit(own, await printedLink(own));
    await hasTiles(page);
    await add(page);
    await hasTiles(page);
    // The browser requests the catalog before the page has the token.
    assert.deepEqual(complaints.filter((text) => !text.startsWith('401 ') && !text.includes('status of 401')), []);
    assert.deepEqual([...new Set(complaints.filter((text) => text.startsWith('401 ')))], [`401 ${own.url}/catalog`]);
    await page.context().close();
    own.stop();
  });

  test('asks for a key, once, and shows its layers with it', async () => {
    const own = await serve(KEYS);
    const { page, requested } = await visit(own, own.url);
    await page.waitForSelector('dialog[open] input[type="password"]');
    assert.match(await page.textContent('dialog'), /This server needs a key/);
    const catalogs = () => requested.filter((url) => url.includes('/catalog')).length;
    const before = catalogs();
    // Longer than the first delay of a retry.
    await page.waitForTimeout(3000);
    assert.equal(catalogs(), before);
    await page.fill('dialog input', 'wrong');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /The key is unknown/.test(document.querySelector('dialog[open]')?.textContent ?? ''));
    await page.fill('dialog input', 'kiln_of_tenant_a');
    await page.keyboard.press('Enter');
    await hasTiles(page);
    assert.equal(await page.evaluate(() => document.querySelector('dialog[open]')), null);
    // A key without the right to write.
    await drop(page);
    await page.waitForSelector('dialog[open]');
    assert.match(await page.textContent('dialog[open]'), /does not have the right to write/);
    await page.context().close();
    own.stop();
  });

  test('that has an anonymous one accepts files from the page of its link, and asks others for the token', async () => {
    const own = await serve(KEYS + ANONYMOUS);
    const link = await printedLink(own);
    const { page, done } = await visit(own, link);
    await add(page);
    await done();
    const other = await visit(own, own.url);
    await hasTiles(other.page);
    await drop(other.page);
    await other.page.waitForSelector('dialog[open] input[type="password"]');
    await other.done();
    // A token of the server before its restart is dropped.
    const third = await visit(own, `${own.url}/#token=old`);
    await hasTiles(third.page);
    assert.equal(await third.page.evaluate(() => sessionStorage.getItem('kiln.token')), null);
    await third.page.context().close();
    own.stop();
  });
});
