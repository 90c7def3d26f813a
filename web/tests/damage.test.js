// The map page of a layer of which a segment is damaged.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { PROGRAM, serveIn } from './kiln.js';

let home, kiln, chromium;

const run = (...args) => {
  const { status, stderr } = spawnSync(PROGRAM, args, { cwd: home, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
};

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'kiln-web-'));
  writeFileSync(join(home, 'a.csv'), ['lon,lat', '18,59', '19,60', '20,61'].join('\n'));
  writeFileSync(join(home, 'b.csv'), ['lon,lat', '18.5,59.5', '19.5,60.5'].join('\n'));
  run('import', 'a.csv', '--layer', 'worn', '--title', 'Worn');
  run('import', 'b.csv', '--layer', 'worn', '--append');
  run('import', 'a.csv', '--layer', 'whole', '--title', 'Whole');
  run('import', 'a.csv', '--layer', 'gone', '--title', 'Gone');
  run('import', 'a.csv', '--layer', 'lost', '--title', 'Lost');
  const manifest = join(home, 'store/lost/manifest.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"rows":3', '"rows":4'));
  for (const name of ['worn', 'gone']) {
    const segment = join(home, `store/${name}/00000001.points.arrow`);
    const bytes = readFileSync(segment);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(segment, bytes);
  }
  [kiln, chromium] = await Promise.all([serveIn(home), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('a damaged layer', () => {
  test('is described as such, and another layer is not', async () => {
    const { page } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/#layer=worn`);
    await page.waitForSelector('#map[aria-busy="false"]');
    assert.match(await page.textContent('#about'), /^2 points/);
    assert.equal(await page.textContent('#damage [role="status"]'), '3 points in a damaged segment are left out.');
    assert.equal(await page.isVisible('#damage li'), false);
    await page.focus('#damage summary');
    await page.keyboard.press('Enter');
    assert.equal(await page.isVisible('#damage li'), true);
    assert.equal(await page.textContent('#damage li'), '00000001.points.arrow: it is damaged: the checksum does not match');
    assert.match(await page.textContent('#damage'), /kiln layer worn --verify/);
    assert.equal(await page.textContent('#sheet-title'), 'Worn · incomplete');
    await page.selectOption('#layer', 'whole');
    await page.waitForFunction(() => !document.getElementById('damage'));
    assert.match(await page.textContent('#about'), /^3 points/);
    await page.selectOption('#layer', 'worn');
    await page.waitForSelector('#damage');
    assert.equal(await page.locator('#damage').count(), 1);
    await page.context().close();
  });

  test('is described as such on the page of its matrix', async () => {
    const { page, done } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/matrix/worn#x=lon&y=lat`);
    await page.waitForSelector('#damage');
    assert.equal(await page.textContent('#damage [role="status"]'), '3 points in a damaged segment are left out.');
    await done();
  });

  test('of which no points are left is not described as empty', async () => {
    const { page } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/#layer=gone`);
    await page.waitForSelector('#map[aria-busy="false"]');
    assert.equal(await page.textContent('#about'), 'All points are damaged.');
    assert.equal(await page.textContent('#damage [role="status"]'), '3 points in a damaged segment are left out.');
    await page.waitForFunction(() => document.getElementById('status')?.textContent === 'All points are damaged');
    const legend = () => getComputedStyle(document.querySelector('.kiln-legend'), '::after').content;
    assert.equal(await page.evaluate(legend), '"All points are damaged"');
    assert.ok(!(await page.textContent('body')).includes('No points yet'));
    await page.context().close();
  });

  test('that cannot be read is named with the remedy, and the others are shown', async () => {
    const { page } = await chromium.page({}, [kiln.url]);
    await page.goto(`${kiln.url}/#layer=lost`);
    await page.waitForSelector('#map[aria-busy="false"]');
    const notice = await page.textContent('#notice');
    assert.match(notice, /^The layer `lost` cannot be read: manifest\.json: it is damaged: .*`kiln drop lost`.*; showing Gone\.$/);
    assert.deepEqual(await page.locator('#layer option').allTextContents(), ['Gone', 'Whole', 'Worn']);
    await page.goto(`${kiln.url}/#layer=whole`);
    await page.reload();
    await page.waitForSelector('#map[aria-busy="false"]');
    assert.equal(await page.textContent('#notice'), '');
    await page.context().close();
  });

  test('that is the only one is named on the page of a server without layers', async () => {
    const only = mkdtempSync(join(tmpdir(), 'kiln-web-'));
    cpSync(join(home, 'store/lost'), join(only, 'store/lost'), { recursive: true });
    const own = await serveIn(only);
    const { page } = await chromium.page({}, [own.url]);
    await page.goto(own.url);
    await page.waitForSelector('#unreadable');
    assert.match(await page.textContent('#unreadable'), /^The layer `lost` cannot be read: manifest\.json: .*`kiln drop lost`/);
    assert.equal(await page.textContent('#empty-title'), 'No readable layers');
    await page.context().close();
    own.stop();
    rmSync(only, { recursive: true, force: true });
  });
});
