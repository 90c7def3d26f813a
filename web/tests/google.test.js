// kiln-google on pages of Google's heat-map layer. The Maps API is a stand-in, google-maps.js, whose own layer throws an error as that
// of version 3.65 does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { middle, near, open } from './browser.js';
import { HOSTS, withoutInternet } from './cdn.js';
import { serve, site, STOCKHOLM } from './kiln.js';

const API = 'https://maps.googleapis.com/maps/api/js?key=KEY';
const SIZE = { width: 600, height: 400 };
const LAYER = '<script src="/kiln-google/dist/kiln-google.iife.js"></script>';
/** The inline loader of Google's documents, in few words: it defines `importLibrary`, which loads the API. */
const LOADER = `<script>((maps) => {
  const load = () => new Promise((done) => { maps.__ib__ = done; document.head.append(Object.assign(document.createElement('script'), { src: '${API}&callback=google.maps.__ib__' })); });
  let loading;
  if (maps.importLibrary) console.error('The API only loads once'); else maps.importLibrary = (name) => (loading ??= load()).then(() => maps.importLibrary(name));
})(((window.google ??= {}).maps ??= {}));</script>`;

let kiln, chromium, host;
const pages = {};
before(async () => {
  [kiln, chromium, host] = await Promise.all([serve(), open(), site(pages)]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  host?.stop();
});

/** Opens a page with a map of the town and the layer `heat`. */
async function visit(options, { zoom = 6, before = LAYER, api = `<script async src="${API}&libraries=visualization&callback=start"></script>`, behind = '', ...context } = {}, servers = []) {
  pages['/google'] = `<!doctype html><style>html, body, #map { height: 100%; margin: 0 }</style><div id="map"></div>${before}
    <script>window.start = function () {
      const center = { lat: ${STOCKHOLM.lat}, lng: ${STOCKHOLM.lng} };
      window.map = new google.maps.Map(document.getElementById('map'), { center, zoom: ${zoom} });
      const town = new google.maps.LatLng(center.lat, center.lng);
      window.heat = new google.maps.visualization.HeatmapLayer({ map, ...${options} });
    }</script>${api}${behind}`;
  return go('/google', context, servers);
}

async function go(path, context = {}, servers = []) {
  const visitor = await chromium.page({ viewport: SIZE, ...context }, [kiln.url, host.url, ...servers, ...HOSTS]);
  await withoutInternet(visitor.page);
  await visitor.page.goto(host.url + path);
  return visitor;
}

/** Nothing else on the page has these colors. */
const isHeat = ([red, green, blue]) => Math.max(red, green, blue) - Math.min(red, green, blue) > 50;
const isRed = ([red, green, blue]) => red > 190 && green < 150 && blue < 150;
async function heatOf(page, is = isHeat) {
  await page.waitForFunction(() => window.heat);
  await page.waitForTimeout(400);
  // Tiles take longer on a busy machine.
  await page.waitForFunction(() => [...document.images].every(({ complete }) => complete));
  return middle(await chromium.look(page), is);
}

describe('the script and the module', () => {
  test('a page of Google’s layer works again by a script before the API', async () => {
    const { page, done } = await visit('{ data: [town], radius: 40 }');
    near(await heatOf(page), { x: 300, y: 200 });
    near(await heatOf(page, isRed), { x: 300, y: 200 });
    await done();
  });

  test('without the script, the layer throws an error', async () => {
    const { page, complaints } = await visit('{ data: [town] }', { before: '' });
    await page.waitForTimeout(300);
    assert.match(complaints.join(), /no longer available/);
    await page.context().close();
  });

  test('the script may follow the API', async () => {
    const { page, done } = await visit('{ data: [town], radius: 40 }', { before: '', api: `<script src="${API}&libraries=visualization"></script>${LAYER}<script>start()</script>` });
    near(await heatOf(page), { x: 300, y: 200 });
    await done();
  });

  test('a page that does not load the library has the layer, too', async () => {
    const { page, done } = await visit('{ data: [town], radius: 40 }', { api: `<script async src="${API}&callback=start"></script>` });
    near(await heatOf(page), { x: 300, y: 200 });
    await done();
  });

  for (const [order, before, behind] of [['before', LAYER + LOADER, ''], ['after', LOADER + LAYER, ''], ['long after', LOADER, LAYER]]) {
    test(`importLibrary returns the layer, with the script ${order} the loader`, async () => {
      const { page, done } = await visit('{ data: [town], radius: 40 }', {
        before, behind, api: `<script type="module">
          ${behind ? 'await google.maps.importLibrary("maps");' : ''}
          const { HeatmapLayer } = await google.maps.importLibrary('visualization');
          const { LatLng } = await google.maps.importLibrary('core');
          const { Map } = await google.maps.importLibrary('maps');
          if (HeatmapLayer !== google.maps.visualization.HeatmapLayer) throw new Error('two classes');
          const map = new Map(document.getElementById('map'), { center: ${JSON.stringify(STOCKHOLM)}, zoom: 6 });
          window.heat = new HeatmapLayer({ map, data: [new LatLng(${STOCKHOLM.lat}, ${STOCKHOLM.lng})], radius: 40 });
        </script>`,
      });
      near(await heatOf(page), { x: 300, y: 200 });
      await done();
    });
  }

  test('a module imports the class before the API has loaded', async () => {
    pages['/module'] = `<!doctype html><style>html, body, #map { height: 100%; margin: 0 }</style><div id="map"></div><script type="module">
      import { HeatmapLayer } from '/kiln-google/dist/kiln-google.js';
      try { new HeatmapLayer(); } catch ({ message }) { window.early = message; }
      window.start = () => {
        const map = new google.maps.Map(document.getElementById('map'), { center: ${JSON.stringify(STOCKHOLM)}, zoom: 6 });
        window.heat = new HeatmapLayer({ map, data: [${JSON.stringify(STOCKHOLM)}], radius: 40 });
      };
      document.head.append(Object.assign(document.createElement('script'), { src: '${API}&callback=start' }));
    </script>`;
    const { page, done } = await go('/module');
    near(await heatOf(page), { x: 300, y: 200 });
    assert.match(await page.evaluate(() => window.early), /has not loaded/);
    assert.deepEqual(await page.evaluate(async () => {
      const { HeatmapLayer } = await import('/kiln-google/dist/kiln-google.js');
      return [heat instanceof HeatmapLayer, heat instanceof google.maps.MVCObject, heat instanceof google.maps.visualization.HeatmapLayer];
    }), [true, true, true]);
    await done();
  });

  test('the layer of a version in which it works stays', async () => {
    const source = readFileSync(fileURLToPath(new URL('google-maps.js', import.meta.url)), 'utf8');
    const old = source.replace("'3.65.6a'", "'3.64.14a'").replace('class HeatmapLayer {', 'class HeatmapLayer { setData() {}').replace(/throw new Error\('The Heatmap.*/, 'this.isOfGoogle = true;');
    const { page, done } = await visit('{ data: [town] }', { api: `<script>${old}; google.maps.importLibrary('visualization').then((library) => { google.maps.visualization = library; start(); })</script>` });
    await page.waitForFunction(() => window.heat);
    assert.equal(await page.evaluate(() => heat.isOfGoogle), true);
    await done();
  });
});

describe('points in the page', () => {
  test('options have the defaults of Google, and are set by methods, set, setOptions and bindTo', async () => {
    const { page, done } = await visit('{ data: [town] }');
    await heatOf(page);
    const found = await page.evaluate(() => {
      const state = () => [heat.getRadius(), heat.getOpacity(), heat.getDissipating(), heat.getMaxIntensity(), heat.getGradient()];
      const seen = [state()];
      heat.set('radius', 30);
      heat.setOptions({ opacity: 0.2, dissipating: false, maxIntensity: 4, gradient: ['transparent', 'blue'] });
      seen.push(state());
      heat.setRadius(null);
      heat.set('gradient', heat.get('gradient') ? null : ['red']);
      seen.push(state());
      const other = new google.maps.MVCObject();
      other.set('size', 55);
      heat.bindTo('radius', other, 'size');
      const events = [];
      heat.addListener('radius_changed', () => events.push(heat.get('radius')));
      other.set('size', 66);
      return { seen, bound: heat.getRadius(), events, data: [heat.getData() instanceof google.maps.MVCArray, heat.getData().getLength(), heat.get('data') === heat.getData()], map: heat.getMap() === map };
    });
    assert.deepEqual(found, {
      seen: [[20, 0.6, true, null, null], [30, 0.2, false, 4, ['transparent', 'blue']], [20, 0.2, false, 4, null]],
      bound: 66,
      events: [66],
      data: [true, 1, true],
      map: true,
    });
    await done();
  });

  test('setMap(null) removes the heat, and setMap(map) shows it again', async () => {
    const { page, done } = await visit('{ data: [town], radius: 40 }');
    assert((await heatOf(page)).count > 500);
    await page.evaluate(() => heat.setMap(heat.getMap() ? null : map));
    assert.equal((await heatOf(page)).count, 0);
    assert.equal(await page.locator('canvas').count(), 0);
    await page.evaluate(() => heat.setMap(heat.getMap() ? null : map));
    near(await heatOf(page), { x: 300, y: 200 });
    await done();
  });

  test('changes of an MVCArray are drawn', async () => {
    const { page, done } = await visit('{ data: (window.points = new google.maps.MVCArray()), radius: 30 }');
    assert.equal((await heatOf(page)).count, 0);
    await page.evaluate(() => points.push(map.getCenter()));
    near(await heatOf(page), { x: 300, y: 200 });
    await page.evaluate(() => {
      map.panBy(100, 50);
      points.setAt(0, { location: map.getCenter(), weight: 3 });
    });
    near(await heatOf(page), { x: 300, y: 200 });
    await page.evaluate(() => points.insertAt(0, { lat: 0, lng: 0 }));
    near(await heatOf(page), { x: 300, y: 200 });
    await page.evaluate(() => points.clear());
    assert.equal((await heatOf(page)).count, 0);
    // The array that was replaced has no effect.
    await page.evaluate(() => {
      heat.setData([]);
      points.push(map.getCenter());
    });
    assert.equal((await heatOf(page)).count, 0);
    await done();
  });

  test('the heat stays at its location while the map moves, without an edge, and across the antimeridian', async () => {
    const { page, done } = await visit('{ data: [town, { lat: -16.85, lng: 179.99 }, { lat: -16.85, lng: -179.99 }], radius: 30, maxIntensity: 1 }');
    for (const [x, y] of [[60, -20], [-200, 100], [-300, 0], [420, -90]]) {
      await page.evaluate(([x, y]) => map.panBy(x, y), [x, y]);
      const seen = middle(await chromium.look(page), isHeat);
      const at = await page.evaluate(([lat, lng]) => {
        const scale = 256 * 2 ** map.getZoom();
        const project = (lat, lng) => [scale * (lng / 360), scale * (-Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / (2 * Math.PI))];
        const [[x, y], [left, top]] = [project(lat, lng), project(map.getCenter().lat(), map.getCenter().lng())];
        return { x: 300 + x - left, y: 200 + y - top };
      }, [STOCKHOLM.lat, STOCKHOLM.lng]);
      if (at.x > 40 && at.x < 560) near(seen, at);
    }
    await page.evaluate(() => map.setZoom(9));
    await page.evaluate(() => map.setCenter({ lat: -16.85, lng: 180 }));
    near(await heatOf(page), { x: 300, y: 200 });
    await page.evaluate(() => map.setCenter({ lat: -16.85, lng: -180 }));
    near(await heatOf(page), { x: 300, y: 200 });
    await done();
  });

  test('a map that repeats the world repeats the heat', async () => {
    const { page, done } = await visit('{ data: [{ lat: 0, lng: 0 }], radius: 20 }', { zoom: 0, viewport: { width: 700, height: 400 } });
    await page.evaluate(() => map.setCenter({ lat: 0, lng: 0 }));
    await heatOf(page);
    const seen = await chromium.look(page);
    for (const x of [350 - 256, 350, 350 + 256]) near(middle({ width: 60, height: 400, at: (column, row) => seen.at(x - 30 + column, row) }, isHeat), { x: 30, y: 200 });
    await done();
  });

  test('the radius is in pixels; with dissipating: false it doubles with each zoom', async () => {
    const width = async (page) => Math.sqrt((await heatOf(page)).count / Math.PI);
    const { page, done } = await visit('{ data: [town], radius: 30, maxIntensity: 1 }');
    const size = await width(page);
    assert(size > 18 && size < 30, String(size));
    await page.evaluate(() => map.setZoom(7));
    assert(Math.abs((await width(page)) - size) < 1);
    await page.evaluate(() => heat.setOptions({ dissipating: false, radius: 30 / 2 ** 7 }));
    assert(Math.abs((await width(page)) - size) < 1);
    await page.evaluate(() => map.setZoom(8));
    assert(Math.abs((await width(page)) - 2 * size) < 2);
    await done();
  });

  test('the maximum is that of the view, or maxIntensity', async () => {
    // Ten points of weight 1 at the town, one of weight 4 to its west.
    const { page, done } = await visit('{ data: [...Array(10).fill(town), { location: new google.maps.LatLng(center.lat, center.lng - 4), weight: 4 }], radius: 40, opacity: 1, gradient: ["black", "white"] }');
    await heatOf(page);
    const gray = async (x) => (await chromium.look(page)).at(x, 200)[0];
    const west = Math.round(300 - (4 / 360) * 256 * 2 ** 6);
    assert(Math.abs((await gray(300)) - 255) <= 5 && Math.abs((await gray(west)) - 102) <= 5, `${await gray(300)}, ${await gray(west)}`);
    await page.evaluate(() => heat.setOptions({ maxIntensity: 8 }));
    await heatOf(page);
    assert(Math.abs((await gray(west)) - 127) <= 5, String(await gray(west)));
    await page.evaluate(() => heat.setOptions({ maxIntensity: null }));
    await page.evaluate(() => map.panBy(-350, 0));
    await heatOf(page);
    assert(Math.abs((await gray(west + 350)) - 255) <= 5, String(await gray(west + 350)));
    await done();
  });

  test('the canvas has the resolution of the screen for small dots', async () => {
    const { page, done } = await visit('{ data: [town], radius: 8 }', { deviceScaleFactor: 2 });
    await heatOf(page);
    const [width, box] = await page.$eval('canvas', (canvas) => [canvas.width, canvas.getBoundingClientRect().width]);
    assert.equal(width, 2 * box);
    assert.equal(await page.$eval('canvas', ({ style }) => style.opacity), '0.6');
    await done();
  });

  test('100,000 points are drawn', async () => {
    const { page, done } = await visit('{ data: Array.from({ length: 100_000 }, (_, i) => new google.maps.LatLng(center.lat + Math.sin(i) * Math.cos(i / 7), center.lng + 2 * Math.cos(i) * Math.sin(i / 11))) }', { zoom: 8 });
    assert((await heatOf(page)).count > 20_000);
    await done();
  });

  test('invalid options and data are errors that name them', async () => {
    const { page, done } = await visit('{ data: [town] }');
    await heatOf(page);
    const messages = await page.evaluate(() => [
      { radius: -1 }, { radius: '20' }, { opacity: 2 }, { maxIntensity: NaN }, { gradient: 'red' }, { gradient: ['transparent', 'reddish'] },
      { data: [{ lat: 1 }] }, { data: [map.getCenter(), { location: { lat: 1, lng: 2 }, weight: 'heavy' }] },
    ].map((options) => {
      try {
        heat.setOptions(options);
      } catch ({ message }) {
        return message;
      }
      return null;
    }));
    const expected = [/radius is -1; expected a number of pixels/, /radius is "20"/, /opacity is 2; expected a number from 0 to 1/, /maxIntensity is null/, /gradient is "red"; expected an array/, /`reddish` is not a CSS color/, /data\[0\] has no location; expected/, /weight of data\[1\]/];
    for (const [i, pattern] of expected.entries()) assert.match(messages[i] ?? 'no error', pattern);
    await done();
  });
});

describe('a layer of a server', () => {
  test('tiles are on the map, with the options as parameters', async () => {
    const { page, requested, done } = await visit(`{ data: { layer: 'one', url: '${kiln.url}' }, radius: 40, maxIntensity: 5 }`);
    near(await heatOf(page), { x: 300, y: 200 });
    near(await heatOf(page, isRed), { x: 300, y: 200 }, 2);
    const tiles = requested.filter((url) => /\/one\/6\//.test(url));
    assert(tiles.length >= 1 && tiles.every((url) => /radius=40&/.test(url) && /[?&]v=/.test(url) && /vmax=/.test(url)), requested.join('\n'));
    await page.evaluate(() => heat.setOptions({ gradient: ['transparent', 'blue'], opacity: 0.9 }));
    near(await heatOf(page, ([red, , blue]) => blue > 180 && red < 120), { x: 300, y: 200 });
    assert.equal(await page.evaluate(() => map.overlayMapTypes.getLength()), 1);
    await page.evaluate(() => heat.setMap(null));
    assert.equal(await page.evaluate(() => map.overlayMapTypes.getLength()), 0);
    assert.equal((await heatOf(page)).count, 0);
    await done();
  });

  for (const [ratio, dissipating] of [[1, true], [2, true], [1, false]]) {
    test(`tiles have the colors of the canvas, at ${ratio} pixels per CSS pixel${dissipating ? '' : ' and without dissipating'}`, async () => {
      const options = `radius: ${dissipating ? 40 : 40 / 64}, dissipating: ${dissipating}, maxIntensity: 10, opacity: 1, gradient: ['black', 'white']`;
      const look = async (data) => {
        const { page, done } = await visit(`{ data: ${data}, ${options} }`, { deviceScaleFactor: ratio });
        await heatOf(page);
        const seen = await chromium.look(page);
        await done();
        return seen;
      };
      const canvas = await look('[{ location: town, weight: 5 }]');
      const tiles = await look(`{ layer: 'one', url: '${kiln.url}' }`);
      const at = (seen, x, y) => seen.at(x * ratio, y * ratio)[0];
      assert(Math.abs(at(canvas, 300, 200) - 127) < 5, String(at(canvas, 300, 200)));
      for (const [x, y] of [[300, 200], [310, 200], [300, 215], [280, 190], [325, 205], [300, 240]]) {
        assert(Math.abs(at(canvas, x, y) - at(tiles, x, y)) <= 5, `${at(canvas, x, y)} and ${at(tiles, x, y)} at ${x}, ${y}`);
      }
    });
  }

  test('a layer that is missing is an event and a message on the console', async () => {
    const { page, complaints } = await visit('{ data: [town] }');
    await page.waitForFunction(() => window.heat);
    const message = await page.evaluate((url) => new Promise((done) => {
      heat.addListener('error', ({ message }) => done(message));
      heat.setData({ layer: 'nowhere', url });
    }), kiln.url);
    assert.match(message, /nowhere/);
    assert(complaints.some((text) => /HeatmapLayer: .*nowhere/.test(text)), complaints.join());
    await page.context().close();
  });

  test('a key is sent with all requests', async () => {
    // `printf kiln_of_tenant_a | sha256sum`
    const locked = await serve('[keys.tenant-a]\nhash = "sha256:f5ccedbec05e4e5d1b5c802f8cdbc87aab9b93c4b6a2ad1e5970728372be6b31"\n');
    const { requested, page, done } = await visit(`{ data: { layer: 'one', url: '${locked.url}', key: 'kiln_of_tenant_a', style: { scheme: 'fire' } }, radius: 30 }`, {}, [locked.url]);
    near(await heatOf(page), { x: 300, y: 200 });
    const own = requested.filter((url) => url.startsWith(`${locked.url}/one`));
    assert(own.length >= 2 && own.every((url) => /[?&]key=kiln_of_tenant_a/.test(url) && /scheme=fire/.test(url) && !/gradient/.test(url)), own.join('\n'));
    await done();
    locked.stop();
  });
});
