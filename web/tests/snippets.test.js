// The code that the map page offers under Embed & export, run as it is: pages as files, commands by sh. There is no internet:
// cdn.js has the libraries, and a stand-in for Google Maps, whose API needs a key.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { middle, near, open } from './browser.js';
import { fileOf, HOSTS, withoutInternet } from './cdn.js';
import { serve, site, STOCKHOLM } from './kiln.js';
import { blocksOf } from './markdown.js';

const { lat, lng } = STOCKHOLM;
const SIZE = { width: 600, height: 400 };
const TABS = ['Web page', 'Leaflet', 'MapLibre', 'OpenLayers', 'Google Maps', 'curl'];
/** Texts that need to be escaped in HTML, scripts and commands. */
const TITLE = "It's </script> & \"<b>\" \\ `${1}`";
// A page that is opened as a file has the origin `null`, which a server on a loopback address does not allow by default.
const ODD = `
[server]
cors_origins = ["*"]

[layers.odd]
input = "one.csv"
weight = "people"
title = ${JSON.stringify(TITLE)}
attribution = ${JSON.stringify(TITLE)}
style = { radius = 20 }
`;
const BASEMAP = 'https://tile.openstreetmap.org/{z}/{x}/{y}.png';

let kiln, withBasemap, chromium, gl, home, host;
before(async () => {
  home = mkdtempSync(join(tmpdir(), 'kiln-snippets-'));
  [kiln, withBasemap, chromium, gl, host] = await Promise.all([serve(ODD), serve(`[page]\nbasemap = "${BASEMAP}"\nattribution = "Streets"\n`), open(), open({ webgl: true }), site({}, home)]);
});
after(async () => {
  await Promise.all([chromium?.close(), gl?.close()]);
  for (const each of [kiln, withBasemap, host]) each?.stop();
  rmSync(home, { recursive: true, force: true });
});

const known = new Map();
/** The snippets of the page by tab, for the town at zoom 6. */
async function codes(server = kiln, layer = 'one') {
  const key = `${server.url}/${layer}`;
  if (!known.has(key)) known.set(key, await readCodes(server, layer));
  return known.get(key);
}

async function readCodes(server, layer) {
  const { page, done } = await chromium.page({}, [server.url, ...HOSTS]);
  await withoutInternet(page);
  await page.goto(`${server.url}/#layer=${layer}&at=6/${lat}/${lng}&scheme=fire`);
  await page.waitForSelector('#map[aria-busy="false"]');
  await page.click('#take summary');
  assert.deepEqual(await page.getByRole('tab').allTextContents(), TABS);
  await page.waitForSelector('#snippet:not(:empty)');
  const found = { [TABS[0]]: await page.textContent('#snippet') };
  for (const tab of TABS.slice(1)) {
    await page.getByRole('tab', { name: tab, exact: true }).click();
    found[tab] = await page.textContent('#snippet');
    assert.equal(await page.isVisible('#save-page'), found[tab].startsWith('<!doctype html>'), tab);
  }
  await done();
  return found;
}

/** The Leaflet page of the documents with a snippet in place of its last line, on the map that the snippet names. */
function inLeafletPage(code) {
  const { text } = blocksOf('docs/tiles-and-overlays.md').find((block) => block.text.startsWith('<!doctype html>'));
  const [, map] = /^\/\/ (const map = .*)$/m.exec(code);
  const lines = text.replace(/^ *const map = .*$/m, () => map).split('\n');
  return lines.toSpliced(lines.lastIndexOf('</script>') - 1, 1, code).join('\n');
}

const isHot = ([red, green]) => red > 215 && green < 190;
/** The hot pixels of the picture above the legend. */
const hot = (picture) => middle({ ...picture, height: 300 }, isHot);

/** Opens a page, from a file or a web server, and waits for its heat at the center. */
async function visit(text, { isFile = true, server = kiln, browser = chromium } = {}) {
  writeFileSync(join(home, 'map.html'), text);
  const visitor = await browser.page({ viewport: SIZE }, [server.url, host.url, ...HOSTS]);
  const { page, complaints } = visitor;
  await withoutInternet(page);
  await page.goto(isFile ? `file://${join(home, 'map.html')}` : `${host.url}/map.html`);
  let seen = { count: 0 };
  for (const end = Date.now() + 30_000; seen.count < 50 && Date.now() < end && !complaints.length; seen = hot(await browser.look(page))) await page.waitForTimeout(200);
  await page.waitForTimeout(400);
  if (!complaints.length) near(hot(await browser.look(page)), { x: 300, y: 200 }, 2.5);
  return visitor;
}

describe('snippets of the map page', () => {
  test('the web page works as a file: heat, bounds, legend and attribution', async () => {
    const code = (await codes())['Web page'];
    assert.match(code, /^<!doctype html>\n<html lang="en">/);
    assert.match(code, /<meta name="viewport" content="width=device-width, initial-scale=1">/);
    const { page, requested, done } = await visit(code);
    assert.match(await page.textContent('.leaflet-control-attribution'), /Nobody & Sons.*/);
    const legend = () => page.$eval('.legend', ({ src, complete, naturalWidth }) => ({ src, isLoaded: complete && naturalWidth > 100 }));
    assert((await legend()).isLoaded && (await legend()).src.includes('zoom=6&'));
    await page.click('.leaflet-control-zoom-out');
    await page.waitForFunction(() => document.querySelector('.legend').src.includes('zoom=5&') && document.querySelector('.legend').complete);
    // Nothing is requested where the layer has no points.
    const tiles = requested.filter((url) => /\/one\/6\//.test(url)).length;
    assert(tiles > 0 && tiles <= 4, requested.join('\n'));
    assert(!requested.some((url) => url.startsWith('https://tile.')));
    await done();
  });

  test('the web page can be saved', async () => {
    const { page, done } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/#layer=one&at=6/${lat}/${lng}`);
    await page.waitForSelector('#map[aria-busy="false"]');
    await page.click('#take summary');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save-page')]);
    assert.equal(download.suggestedFilename(), 'one.html');
    assert.equal(readFileSync(await download.path(), 'utf8'), await page.textContent('#snippet'));
    await done();
  });

  for (const tab of ['Leaflet', 'MapLibre', 'OpenLayers', 'Google Maps']) {
    test(`${tab}: heat is at its location`, async () => {
      const code = (await codes())[tab];
      const isLeaflet = tab === 'Leaflet';
      // The page of the documents has tiles of OpenStreetMap, which files do not get.
      const { page, done } = await visit(isLeaflet ? inLeafletPage(code) : code, { isFile: !isLeaflet, browser: tab === 'MapLibre' ? gl : chromium });
      if (tab !== 'Google Maps') assert.match(await page.textContent('body'), /Nobody & Sons/);
      await done();
    });
  }

  test('curl: sh saves the picture of the view, its legend and the TileJSON', async () => {
    const folder = mkdtempSync(join(home, 'sh-'));
    execFileSync('sh', ['-euc', (await codes()).curl], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    const sizeOf = (name) => [16, 20].map((at) => readFileSync(join(folder, name)).readUInt32BE(at));
    assert.deepEqual(sizeOf('one.png'), [1000, 700]);
    assert(sizeOf('one.legend.png')[0] > 100);
    assert.equal(JSON.parse(readFileSync(join(folder, 'one.json'), 'utf8')).attribution, 'Nobody &amp; Sons');
    const { page, done } = await chromium.page({ viewport: { width: 1000, height: 700 } });
    await page.setContent(`<style>body { margin: 0 } img { display: block }</style><img src="data:image/png;base64,${readFileSync(join(folder, 'one.png')).toString('base64')}">`);
    await page.evaluate(() => document.images[0].decode());
    near(middle(await chromium.look(page), isHot), { x: 500, y: 350 }, 2.5);
    await done();
  });

  test('titles and attributions are escaped', async () => {
    const all = await codes(kiln, 'odd');
    for (const tab of ['Web page', 'OpenLayers', 'Google Maps']) {
      const { page, done } = await visit(all[tab]);
      assert.equal(await page.title(), TITLE, tab);
      if (tab !== 'Google Maps') assert((await page.textContent('body')).includes(TITLE), tab);
      await done();
    }
    const { page, done } = await visit(inLeafletPage(all.Leaflet), { isFile: false });
    assert((await page.textContent('.leaflet-control-attribution')).includes(TITLE));
    await done();
  });

  test('the basemap of the configuration is that of the snippets', async () => {
    const all = await codes(withBasemap);
    for (const tab of ['Web page', 'MapLibre', 'OpenLayers']) {
      const { page, requested, done } = await visit(all[tab], { isFile: false, server: withBasemap, browser: tab === 'MapLibre' ? gl : chromium });
      assert(requested.some((url) => url.startsWith('https://tile.openstreetmap.org/')), `${tab}\n${requested.join('\n')}`);
      assert(!requested.some((url) => url.includes('land.json')), tab);
      assert.match(await page.textContent('body'), /Streets/, tab);
      await done();
    }
  });

  test('files of the CDN have the hashes of their packages', async () => {
    const text = Object.values(await codes()).join('\n');
    const tags = [...text.matchAll(/unpkg\.com\/([^"]+)" integrity="sha256-([^"]+)"/g), ...text.matchAll(/unpkg\.com\/([^"]+)": "sha256-([^"]+)"/g)];
    assert.equal(tags.length, 8);
    for (const [, path, hash] of tags) assert.equal(createHash('sha256').update(readFileSync(fileOf(path))).digest('base64'), hash, path);
    assert.equal(text.match(/unpkg\.com/g).length, tags.length + 1, 'the module is named in the imports as well');
  });
});
