// A file written by `kiln export` on a plain web server, shown by MapLibre GL with the PMTiles library.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { GREEN, isGreen, middle, near, open } from './browser.js';
import { site, STOCKHOLM } from './kiln.js';

const PROGRAM = process.env.KILN ?? fileURLToPath(new URL('../../target/debug/kiln', import.meta.url));
const SIZE = { width: 600, height: 400 };
const { lat, lng } = STOCKHOLM;

let home, files, chromium, host;
const pages = {};
before(async () => {
  home = mkdtempSync(join(tmpdir(), 'kiln-pmtiles-'));
  writeFileSync(join(home, 'one.csv'), `lon,lat\n${lng},${lat}\n`);
  const style = ['--gradient', GREEN, '--radius', '20', '--vmin', '0', '--vmax', '0.0001'];
  execFileSync(PROGRAM, ['export', 'one.csv', '--zoom', '0-6', '-o', 'one.pmtiles', ...style], { cwd: home, stdio: 'pipe' });
  files = await ranges(join(home, 'one.pmtiles'));
  [chromium, host] = await Promise.all([open({ webgl: true }), site(pages)]);
});
after(async () => {
  await chromium?.close();
  host?.stop();
  files?.stop();
  if (home) rmSync(home, { recursive: true, force: true });
});

/** A web server with one file that supports range requests from any origin. */
async function ranges(path) {
  const file = openSync(path);
  const { size, mtimeMs } = fstatSync(file);
  const requests = [];
  const server = createServer((request, response) => {
    const allowed = {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'range,if-match',
      'access-control-expose-headers': 'etag,content-range',
    };
    if (request.method === 'OPTIONS') return response.writeHead(204, allowed).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [first, last] = range ? [Number(range[1]), Math.min(Number(range[2]), size - 1)] : [0, size - 1];
    const bytes = Buffer.alloc(last - first + 1);
    readSync(file, bytes, 0, bytes.length, first);
    requests.push({ status: range ? 206 : 200, first, bytes: bytes.length });
    const head = { ...allowed, 'content-type': 'application/octet-stream', 'content-length': bytes.length, etag: `"${size}-${mtimeMs}"` };
    response.writeHead(range ? 206 : 200, range ? { ...head, 'content-range': `bytes ${first}-${last}/${size}` } : head).end(bytes);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  const stop = () => {
    server.close(() => closeSync(file)).closeAllConnections();
  };
  return { url, requests, stop };
}

/** Shows the file around the town at a zoom of Leaflet, one more than that of MapLibre. Returns the green pixels. */
async function shown(zoom) {
  pages['/page'] = `<!doctype html><link rel="stylesheet" href="/node_modules/maplibre-gl/dist/maplibre-gl.css">
    <script src="/node_modules/pmtiles/dist/pmtiles.js"></script>
    <style>html, body, #map { height: 100%; margin: 0; background: #fff }</style><div id="map"></div>
    <script type="module">
    const maplibregl = await import('/node_modules/maplibre-gl/dist/maplibre-gl.mjs');
    maplibregl.addProtocol('pmtiles', new pmtiles.Protocol().tile);
    const map = new maplibregl.Map({
      container: 'map', center: [${lng}, ${lat}], zoom: ${zoom - 1}, attributionControl: false, fadeDuration: 0,
      style: {
        version: 8,
        sources: { heat: { type: 'raster', tileSize: 256, url: 'pmtiles://${files.url}/one.pmtiles' } },
        layers: [{ id: 'heat', type: 'raster', source: 'heat' }],
      },
    });
    map.on('idle', () => { window.shown = map.getSource('heat'); });
    </script>`;
  const { page, complaints, done } = await chromium.page({ viewport: SIZE }, [host.url, files.url]);
  await page.goto(`${host.url}/page`);
  await page.waitForFunction(() => window.shown, null, { timeout: 20_000 }).catch((error) => {
    throw new Error(`${error.message}\n${complaints.join('\n')}`);
  });
  await page.waitForTimeout(150);
  const seen = middle(await chromium.look(page), isGreen);
  const zooms = await page.evaluate(() => [window.shown.minzoom, window.shown.maxzoom]);
  await done();
  return { seen, zooms };
}

test('a town is at its location at each zoom of the file and beyond the last', async () => {
  const counts = [];
  for (const zoom of [3, 6, 7]) {
    const { seen, zooms } = await shown(zoom);
    near(seen, { x: 300, y: 200 });
    assert.deepEqual(zooms, [0, 6]);
    counts.push(seen.count);
  }
  // Beyond the last zoom tiles are scaled up.
  assert(counts[2] / counts[1] > 3 && counts[2] / counts[1] < 5, `${counts}`);
});

test('only the parts in view are requested', async () => {
  files.requests.length = 0;
  await shown(6);
  assert(files.requests.length > 1 && files.requests.every(({ status }) => status === 206), JSON.stringify(files.requests));
  assert.equal(files.requests[0].first, 0);
});
