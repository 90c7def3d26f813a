// Files that become layers on the map page: dropped, or chosen by the button.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { open } from './browser.js';
import { serve } from './kiln.js';

const data = (name) => fileURLToPath(new URL(`../../data/${name}`, import.meta.url));
const TRIPS = ['pickup_lon,pickup_lat,fare,when,kind', '18.07,59.33,9.5,2024-05-01T10:00:00Z,bus', '18.03,59.31,12,2024-05-02T10:00:00Z,tram', '18.05,95,3,2024-05-03T10:00:00Z,bus'].join('\n');
const CLEAN = 'lon,lat,value\n-0.12,51.5,2\n-0.13,51.51,3\n';

let kiln, chromium, folder;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
  folder = mkdtempSync(join(tmpdir(), 'kiln-add-'));
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Opens the page of a server. */
async function visit(server = kiln, hash = 'layer=one', options = {}) {
  const opened = await chromium.page(options, [server.url]);
  await opened.page.goto(`${server.url}/#${hash}`);
  await opened.page.waitForSelector('#map[aria-busy="false"]');
  return opened;
}

/** Drops files on the page: of a name, and with a text or with bytes. */
const drop = (page, ...files) =>
  page.evaluate((files) => {
    const data = new DataTransfer();
    for (const [name, content] of files) data.items.add(new File([typeof content === 'string' ? content : new Uint8Array(content)], name));
    const at = document.getElementById('map');
    for (const type of ['dragenter', 'dragover', 'drop']) at.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
  }, files);

const status = (page) => page.textContent('.add-status');
const said = (page, pattern) =>
  page.waitForFunction((source) => new RegExp(source).test(document.querySelector('.add-status')?.textContent ?? ''), pattern.source, { timeout: 15_000 });
const role = (page, name) => page.inputValue(`.column:has(.column-name:text-is("${name}")) select`);
const choose = (page, name, role) => page.selectOption(`.column:has(.column-name:text-is("${name}")) select`, role);
const submit = (page) => page.click('.add-form .primary:enabled');
const shown = (page, layer) => page.waitForFunction((layer) => document.getElementById('layer').value === layer && location.hash.includes(`layer=${layer}&at=`), layer, { timeout: 15_000 });
/** The link that a server prints after its address. */
async function printedLink(server) {
  for (;;) {
    const found = /http:\S+#token=\w+/.exec(server.log());
    if (found) return found[0];
    await new Promise((done) => setTimeout(done, 20));
  }
}
const layerOf = async (server, name) => (await server.json('catalog')).layers.find((layer) => layer.name === name);

describe('a file with points', () => {
  test('is dropped, its columns are chosen, the rejected rows are reported, and the map shows it', async () => {
    const { page, done } = await visit();
    await drop(page, ['Taxi_trips (May).csv', TRIPS]);
    await page.waitForSelector('.columns');
    assert.deepEqual([await role(page, 'pickup_lon'), await role(page, 'pickup_lat'), await role(page, 'fare')], ['lon', 'lat', '']);
    assert.match(await page.textContent('.column:has(.column-name:text-is("fare"))'), /9\.5 · 12 · 3/);
    await choose(page, 'fare', 'weight');
    await choose(page, 'when', 'time');
    await choose(page, 'kind', 'category');
    assert.equal(await page.inputValue('.add-field:has-text("Title") input'), 'Taxi trips (May)');
    assert.equal(await page.inputValue('.add-field:has-text("Name") input'), 'taxi-trips-may');
    await submit(page);
    await said(page, /2 points of Taxi_trips \(May\)\.csv added\. 1 row rejected\./);
    assert.match(await page.textContent('.rejections'), /Row 3: latitude 95 is beyond ±90/);
    await page.click('text=Show on the map');
    await shown(page, 'taxi-trips-may');
    const [, zoom, lat, lng] = /at=(\d+)\/([\d.-]+)\/([\d.-]+)/.exec(page.url());
    assert(Number(zoom) >= 9 && Math.abs(lat - 59.32) < 0.1 && Math.abs(lng - 18.05) < 0.5, page.url());
    assert.equal(await page.isVisible('dialog'), false);
    const statistics = await kiln.json('taxi-trips-may/statistics?zoom=0');
    assert.deepEqual([statistics.points, statistics.weight.sum, statistics.categories.names], [2, 21.5, ['bus', 'tram']]);
    assert.match(statistics.time.start, /^2024-05-01T10/);
    assert.equal((await layerOf(kiln, 'taxi-trips-may')).title, 'Taxi trips (May)');
    await done();
  });

  test('is chosen by the button with the keyboard alone, and a file without faults is shown at once', async () => {
    const { page, done } = await visit();
    await page.focus('#add-layer');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.type === 'file');
    writeFileSync(join(folder, 'london.csv'), CLEAN);
    await page.setInputFiles('.zone input', join(folder, 'london.csv'));
    await page.waitForFunction(() => document.activeElement?.textContent === 'Add the layer');
    await page.keyboard.press('Enter');
    await shown(page, 'london');
    assert.equal(await page.textContent('.added'), '2 points of london.csv added.');
    assert.equal((await layerOf(kiln, 'london')).weight, 'value');
    await done();
  });

  test('may be GeoJSON, Parquet, GPX, TSV or compressed', async () => {
    const gpx = '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg><trkpt lat="47.1" lon="11.2"><time>2024-05-01T10:00:00Z</time></trkpt><trkpt lat="47.2" lon="11.3"/></trkseg></trk></gpx>';
    const packed = await new Response(new Blob([CLEAN]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
    for (const [name, content, layer, points] of [
      ['earthquakes.geojson', readFileSync(data('earthquakes.geojson'), 'utf8'), 'earthquakes', 100],
      ['cities.parquet', [...readFileSync(data('cities.parquet'))], 'cities', 100],
      ['walk.gpx', gpx, 'walk', 2],
      ['tabs.tsv', CLEAN.replaceAll(',', '\t'), 'tabs', 2],
      ['packed.csv.gz', [...new Uint8Array(packed)], 'packed', 2],
    ]) {
      const { page, done } = await visit();
      await drop(page, [name, content]);
      await page.waitForSelector('.columns');
      assert.equal(await page.inputValue('.add-field:has-text("Name") input'), layer);
      await submit(page);
      // Remarks of the readers are shown first.
      const report = page.locator('text=Show on the map');
      await report.or(page.locator('.added')).waitFor();
      if (await report.isVisible()) await report.click();
      await shown(page, layer);
      assert((await layerOf(kiln, layer)).points >= points, name);
      await done();
    }
  });

  test('of many megabytes is inspected by its ends and uploaded once', async () => {
    const { page, requested, done } = await visit();
    let rows = 'lon,lat\n';
    for (let i = 0; i < 500_000; i++) rows += `${(i % 3000) / 100},${(i % 500) / 10}\n`;
    writeFileSync(join(folder, 'many.csv'), rows);
    const sizes = [];
    page.on('request', (request) => request.url().includes('/_/inspect') && sizes.push(Number(/file_bytes=(\d+)&end_bytes=(\d+)/.exec(request.url())?.[2])));
    await page.click('#add-layer');
    await page.setInputFiles('.zone input', join(folder, 'many.csv'));
    await page.waitForSelector('.columns');
    assert.deepEqual(sizes, [1 << 20]);
    await submit(page);
    await shown(page, 'many');
    assert.equal((await layerOf(kiln, 'many')).points, 500_000);
    assert.equal(requested.filter((url) => url.includes('/many/points')).length, 1);
    await done();
  });
});

describe('a layer with the same name', () => {
  test('is added to or replaced only by choice', async () => {
    const { page, done } = await visit();
    const again = async () => {
      await drop(page, ['twice.csv', CLEAN]);
      await page.waitForSelector('.columns');
    };
    const name = '.add-field:has-text("Name") input';
    await again();
    await submit(page);
    await shown(page, 'twice');
    await again();
    assert.equal(await page.inputValue(name), 'twice-2');
    await page.fill(name, 'twice');
    assert.equal(await page.isDisabled('.add-form .primary'), true);
    await page.check('text=Add the points to it');
    await Promise.all([page.waitForEvent('load'), submit(page)]);
    await page.waitForSelector('.added');
    assert.equal((await layerOf(kiln, 'twice')).points, 4);
    await again();
    await page.fill(name, 'twice');
    await page.check('text=Replace its 4 points');
    await Promise.all([page.waitForEvent('load'), submit(page)]);
    await page.waitForSelector('.added');
    assert.equal((await layerOf(kiln, 'twice')).points, 2);
    await done();
  });

  test('keeps its points if it belongs to a file, and names are checked', async () => {
    const { page, done } = await visit();
    await drop(page, ['catalog.csv', CLEAN]);
    await page.waitForSelector('.columns');
    const name = '.add-field:has-text("Name") input';
    assert.equal(await page.inputValue(name), 'catalog-2');
    for (const [text, problem] of [['one', /read from the server/], ['catalog', /server’s own/], ['a b', /letters/], ['', /needs a name/]]) {
      await page.fill(name, text);
      assert.match(await page.textContent('.add-note.error'), problem);
      assert.equal(await page.isDisabled('.add-form .primary'), true);
    }
    await page.keyboard.press('Escape');
    assert.equal(await page.isVisible('dialog'), false);
    await done();
  });
});

describe('what cannot be a layer', () => {
  test('is rejected with the reason: empty files, pictures, archives, several files, folders', async () => {
    const { page } = await visit();
    for (const [files, pattern] of [
      [[['nothing.csv', '']], /nothing\.csv is empty/],
      [[['photo.png', [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13]]], /photo\.png: .*not Parquet, Arrow or UTF-8 text; expected CSV/],
      [[['all.zip', 'PK\x03\x04']], /ZIP archive/],
      [[['page.html', '<!doctype html><p>']], /XML or HTML/],
      [[['broken.parquet', 'PAR1 and no more']], /not a complete Parquet file/],
      [[['a.csv', CLEAN], ['b.csv', CLEAN]], /2 files were dropped/],
    ]) {
      await drop(page, ...files);
      await said(page, pattern);
      assert.equal(await page.isVisible('.columns'), false);
    }
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File([''], 'folder'));
      const items = [{ kind: 'file', webkitGetAsEntry: () => ({ isDirectory: true }) }];
      const event = new DragEvent('drop', { bubbles: true, cancelable: true });
      Object.defineProperty(event, 'dataTransfer', { value: { types: ['Files'], files: data.files, items } });
      document.getElementById('map').dispatchEvent(event);
    });
    await said(page, /A folder cannot be a layer/);
    await page.context().close();
  });

  test('is kept back while its columns do not fit, and the choice mends it', async () => {
    const { page, done } = await visit();
    await drop(page, ['german.csv', 'breite,laenge\n59.33,18.07\n']);
    await page.waitForSelector('.columns');
    assert.match(await status(page), /No column has a usual name for the longitude/);
    assert.equal(await page.isDisabled('.add-form .primary'), true);
    await choose(page, 'breite', 'lat');
    await choose(page, 'laenge', 'lon');
    await submit(page);
    await shown(page, 'german');
    await done();
  });

  test('leaves no layer behind if no row has a valid point', async () => {
    const { page } = await visit();
    await drop(page, ['far.csv', 'lon,lat\n18,95\n18,96\n']);
    await page.waitForSelector('.columns');
    await submit(page);
    await said(page, /None of the 2 rows has a valid point.*latitude 95.*Nothing was added/);
    assert.equal(await layerOf(kiln, 'far'), undefined);
    assert.equal(await page.isVisible('.columns'), true);
    await page.context().close();
  });

  test('and a server that ends during the upload are reported, and the form is kept', async () => {
    const own = await serve();
    const { page } = await visit(own);
    await drop(page, ['late.csv', CLEAN]);
    await page.waitForSelector('.columns');
    own.stop();
    await submit(page);
    await said(page, /connection to the server was lost.*Whether the points were added is unknown: check the list of layers/);
    assert.equal(await page.isEnabled('.add-form .primary'), true);
    await page.context().close();
  });

  test('and a server that ends after the upload is reported, rather than a page that cannot load', async () => {
    const { page } = await visit();
    await drop(page, ['stopped.csv', CLEAN]);
    await page.waitForSelector('.columns');
    await page.route('**/catalog', (route) => route.abort());
    await submit(page);
    await said(page, /2 points of stopped\.csv added\. The server has stopped since/);
    assert.equal(await page.isVisible('text=Show on the map'), true);
    await page.context().close();
  });

  test('on a phone in landscape the button and the reason why it is disabled are in view', async () => {
    const { page, done } = await visit(kiln, 'layer=one', { viewport: { width: 844, height: 390 }, isMobile: true, hasTouch: true });
    const columns = Array.from({ length: 14 }, (_, i) => `column${i}`);
    await drop(page, ['wide.csv', `${columns}\n${columns.map((_, i) => 1000 + i)}\n`]);
    await page.waitForSelector('.columns');
    await said(page, /./);
    for (const top of [0, 9999]) {
      await page.evaluate((top) => (document.querySelector('.add-body').scrollTop = top), top);
      const dialog = await page.locator('dialog').boundingBox();
      for (const selector of ['.add-form .primary', '.add-status']) {
        const { y, height } = await page.locator(selector).boundingBox();
        assert(y > dialog.y && y + height <= dialog.y + dialog.height + 1 && y + height <= 390, `${selector} at ${y}, ${height}`);
      }
    }
    assert.equal(await page.isDisabled('.add-form .primary'), true);
    const areas = await page.$$eval('dialog, dialog *', (all) => all.filter((each) => /auto|scroll/.test(getComputedStyle(each).overflowY) && each.scrollHeight > each.clientHeight + 1).map(({ className }) => className));
    assert.deepEqual(areas, ['add-body']);
    await done();
  });

  test('an upload can be cancelled', async () => {
    const { page } = await visit();
    await page.route('**/slow/points*', () => undefined);
    await drop(page, ['slow.csv', CLEAN]);
    await page.waitForSelector('.columns');
    await submit(page);
    await page.click('text=Cancel');
    await said(page, /cancelled/);
    assert.equal(await layerOf(kiln, 'slow'), undefined);
    await page.context().close();
  });

  test('a full disk is named', async () => {
    const { page } = await visit();
    const problem = { status: 507, contentType: 'application/problem+json', body: JSON.stringify({ title: 'Insufficient Storage', detail: "the server's disk is full; nothing was written" }) };
    await page.route('**/full/points*', (route) => route.fulfill(problem));
    await drop(page, ['full.csv', CLEAN]);
    await page.waitForSelector('.columns');
    await submit(page);
    await said(page, /The server's disk is full; nothing was written\. Nothing was added\./);
    await page.context().close();
  });
});

describe('a server', () => {
  test('with a token asks for it, and keeps it in the tab', async () => {
    const own = await serve('[server]\ntoken = "s3cret"\n');
    const { page } = await visit(own);
    await drop(page, ['first.csv', CLEAN]);
    await page.waitForSelector('input[type="password"]');
    await page.fill('input[type="password"]', 'wrong');
    await page.keyboard.press('Enter');
    await said(page, /Invalid token/);
    await page.fill('input[type="password"]', 's3cret');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.columns');
    await submit(page);
    await shown(page, 'first');
    await drop(page, ['second.csv', CLEAN]);
    await page.waitForSelector('.columns');
    await page.context().close();
    own.stop();
  });

  test('without one accepts files on the page of the link that it prints, and its address has no token then', async () => {
    const own = await serve('[server]\nlocal_writes = false\n');
    const link = await printedLink(own);
    const token = new URL(link).hash.slice('#token='.length);
    const opened = await chromium.page({}, [own.url]);
    const { page } = opened;
    await page.goto(link);
    await page.waitForSelector('#map[aria-busy="false"]');
    assert.equal(page.url().includes(token), false);
    await drop(page, ['first.csv', CLEAN]);
    await page.waitForSelector('.columns');
    await submit(page);
    await shown(page, 'first');
    assert.equal(page.url().includes(token), false);
    // A link that is opened in the same tab, with the state of the map: only the token is removed.
    await page.evaluate(() => sessionStorage.clear());
    await page.evaluate((token) => (location.hash = `layer=one&token=${token}`), token);
    await page.waitForFunction(() => !location.hash.includes('token=') && location.hash.includes('layer=one'));
    assert.equal(await page.evaluate(() => sessionStorage.getItem('kiln.token')), token);
    await page.context().close();
    // Another tab does not have it.
    const { page: other } = await visit(own);
    await drop(other, ['second.csv', CLEAN]);
    await other.waitForSelector('input[type="password"]');
    assert.match(await other.textContent('.add form'), /link which it printed/);
    await other.context().close();
    own.stop();
  });

  test('that is read-only has no button, and a drop has the reason', async () => {
    const own = await serve('[store]\nread_only = true\n');
    const { page, done } = await visit(own);
    assert.equal(await page.isVisible('#add-layer'), false);
    await drop(page, ['a.csv', CLEAN]);
    await page.waitForSelector('dialog[open]');
    assert.match(await page.textContent('dialog'), /does not accept layers from the page: the store is read-only/);
    await done();
    own.stop();
  });

  test('with a limit rejects larger files before the upload', async () => {
    const own = await serve('[limits]\ningest_body = "4KiB"\n');
    const { page, requested, done } = await visit(own);
    await drop(page, ['large.csv', `lon,lat\n${'1,2\n'.repeat(2000)}`]);
    await said(page, /large\.csv has 8\.0 kB, and the server accepts at most 4\.1 kB/);
    assert.match(await page.textContent('dialog pre'), /kiln import 'large\.csv' --layer large/);
    assert(!requested.some((url) => url.includes('inspect')));
    await done();
    own.stop();
  });

  test('without layers takes a file by its card', async () => {
    const own = await serve('', { layers: false });
    const write = (server, path, method) => fetch(`${server.url}/${path}`, { method });
    assert((await write(own, 'first', 'PUT')).ok);
    const empty = await own.restart();
    assert((await write(empty, 'first', 'DELETE')).ok);
    const { page, done } = await visit(empty, '');
    await page.click('#empty-choose');
    writeFileSync(join(folder, 'london.csv'), CLEAN);
    await page.setInputFiles('.zone input', join(folder, 'london.csv'));
    await page.waitForSelector('.columns');
    await submit(page);
    await shown(page, 'london');
    assert.equal(await page.isVisible('#empty'), false);
    await done();
    empty.stop();
  });
});

test('a file in meters becomes a layer on a plane', async () => {
  const { page, done } = await visit();
  await drop(page, ['hall.csv', 'x,y\n2,3\n4,5\n']);
  await page.waitForSelector('.columns');
  // The reader reports that it takes x and y for degrees.
  assert.match(await status(page), /degrees/);
  await page.click('.add-form summary');
  await page.fill('.add-field:has-text("Coordinate system") input', 'plane');
  await page.waitForFunction(() => !/degrees/.test(document.querySelector('.add-status').textContent));
  await submit(page);
  await page.waitForSelector('body.floor', { timeout: 15_000 });
  assert.match(page.url(), /layer=hall/);
  assert.equal((await layerOf(kiln, 'hall')).crs, 'plane');
  await done();
});
