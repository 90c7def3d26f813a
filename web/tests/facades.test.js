// The APIs of Leaflet.heat and heatmap.js: pages of both show the same picture with the packages of Kiln in their place.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { middle, near, open } from './browser.js';
import { serve, site, STOCKHOLM } from './kiln.js';

const SIZE = { width: 600, height: 400 };
const STYLE = '<style>html, body, #map { height: 100%; margin: 0; background: #fff }</style><div id="map"></div>';
const LEAFLET = `<!doctype html><link rel="stylesheet" href="/node_modules/leaflet/dist/leaflet.css">${STYLE}<script src="/node_modules/leaflet/dist/leaflet.js"></script>`;
const SCRIPTS = {
  'Leaflet.heat': '/node_modules/leaflet.heat/dist/leaflet-heat.js',
  'kiln-leaflet': '/kiln-leaflet/dist/kiln-leaflet.iife.js',
  'heatmap.js': '/node_modules/heatmap.js/build/heatmap.js',
  'kiln-heatmap': '/kiln-heatmap/dist/kiln-heatmap.iife.js',
};
/** The same numbers from 0 to 1 on each page. */
const RANDOM = 'let seed = 1; const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;';
const MAP = `const map = window.map = L.map('map', { maxZoom: 13, zoomControl: false, attributionControl: false, zoomAnimation: false }).setView([${STOCKHOLM.lat}, ${STOCKHOLM.lng}], 12);`;

let kiln, chromium, host;
const pages = {};
before(async () => {
  [kiln, chromium, host] = await Promise.all([serve("[layers.plane]\ninput = \"bare.csv\"\ncrs = \"plane\"\n", { files: { 'bare.csv': 'x,y\n300,-200\n' } }), open(), site(pages)]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  host?.stop();
});

async function visit(library, script, html = STYLE, options = {}) {
  pages['/facade'] = `<!doctype html>${html}<script src="${SCRIPTS[library]}"></script><script>${RANDOM}${script}</script>`;
  const visitor = await chromium.page({ viewport: SIZE, ...options }, [kiln.url, host.url]);
  await visitor.page.goto(`${host.url}/facade`);
  await visitor.page.waitForTimeout(400);
  return visitor;
}

const isHeat = ([red, green, blue]) => Math.max(red, green, blue) - Math.min(red, green, blue) > 60;
const isBlue = ([red, , blue]) => blue > 150 && red < 150;

/** The mean difference of two screenshots, per channel. */
function difference(one, other) {
  let sum = 0;
  for (let y = 0; y < SIZE.height; y++) for (let x = 0; x < SIZE.width; x++) sum += one.at(x, y).reduce((sum, channel, i) => sum + Math.abs(channel - other.at(x, y)[i]), 0);
  return sum / (3 * SIZE.width * SIZE.height);
}

/** Screenshots of a page with each library. */
async function both(libraries, script, html) {
  const seen = [];
  for (const library of libraries) {
    const { page, done } = await visit(library, script, html);
    seen.push(await chromium.look(page));
    await done();
  }
  return seen;
}

describe('L.heatLayer', () => {
  // Farther from each other than the cells in which near points are merged, whose positions differ.
  const points = 'const points = []; for (let x = 40; x < 600; x += 47) for (let y = 30; y < 400; y += 53) { const { lat, lng } = map.containerPointToLatLng([x, y]); points.push([lat, lng, random()]); }';
  const libraries = ['Leaflet.heat', 'kiln-leaflet'];
  for (const options of ['{}', '{ maxZoom: 12, radius: 15, blur: 25 }', "{ radius: 30, max: 0.7, minOpacity: 0.3, gradient: { 0.3: 'green', 1: 'purple' } }"]) {
    test(`the picture is that of Leaflet.heat with ${options}`, async () => {
      const [old, own] = await both(libraries, `${MAP}${points};L.heatLayer(points, ${options}).addTo(map);`, LEAFLET);
      assert(middle(old, (color) => Math.min(...color) < 230).count > 3000);
      assert(difference(old, own) < 4, String(difference(old, own)));
    });
  }

  test('points are added and replaced, and options are changed', async () => {
    const { page, done } = await visit('kiln-leaflet', `${MAP}window.heat = L.heatLayer([], { maxZoom: 12 }).addTo(map);`, LEAFLET);
    const heat = async () => {
      await page.waitForTimeout(200);
      return middle(await chromium.look(page), isHeat);
    };
    assert.equal((await heat()).count, 0);
    assert.equal(await page.evaluate(() => heat.addLatLng(map.getCenter()) === heat), true);
    near(await heat(), { x: 300, y: 200 });
    await page.evaluate(() => heat.setLatLngs([map.containerPointToLatLng([120, 90])]));
    near(await heat(), { x: 120, y: 90 });
    const small = (await heat()).count;
    await page.evaluate(() => heat.setOptions({ radius: 50 }));
    assert((await heat()).count > 2 * small);
    await page.evaluate(() => map.panBy([-100, 0], { animate: false }));
    near(await heat(), { x: 220, y: 90 });
    await page.evaluate(() => map.setZoom(11, { animate: false }));
    near(await heat(), { x: 260, y: 145 });
    await page.evaluate(() => heat.remove());
    assert.equal((await heat()).count, 0);
    await done();
  });

  test('a layer of a server is shown by its tiles', async () => {
    const { page, requested, done } = await visit('kiln-leaflet', `${MAP}map.setZoom(6); L.heatLayer({ layer: 'one', url: '${kiln.url}' }).addTo(map);`, LEAFLET);
    await page.waitForSelector('.leaflet-tile-loaded');
    await page.waitForTimeout(400);
    near(middle(await chromium.look(page), isHeat), { x: 300, y: 200 });
    assert(requested.some((url) => /kernel=quartic/.test(url) && /radius=40/.test(url) && /scheme=leaflet/.test(url)), requested.join('\n'));
    await done();
  });

  test('invalid points and gradients are errors that name them', async () => {
    const { page, done } = await visit('kiln-leaflet', MAP, LEAFLET);
    const message = (script) => page.evaluate((script) => { try { new Function(script)(); } catch ({ message }) { return message; } return null; }, script);
    assert.match(await message('L.heatLayer([[59, 18], [59]])'), /point 1 is \[59\]; expected \[latitude, longitude, intensity\]/);
    await done();
  });
});

describe('heatmap.js', () => {
  const libraries = ['heatmap.js', 'kiln-heatmap'];
  const data = `const data = Array.from({ length: 80 }, () => ({ x: Math.floor(600 * random()), y: Math.floor(400 * random()), value: Math.floor(100 * random()) }));`;
  const create = (options) => `window.heat = h337.create({ container: document.getElementById('map'), ${options} });`;
  for (const options of ['', 'radius: 25, blur: 0.4', "maxOpacity: 0.5, minOpacity: 0.1, backgroundColor: '#dde'", "opacity: 0.7, gradient: { 0.2: 'green', 0.9: 'purple' }"]) {
    test(`the picture is that of heatmap.js with { ${options} }`, async () => {
      const [old, own] = await both(libraries, `${data}${create(options)}heat.setData({ min: 0, max: 100, data });`);
      assert(middle(old, isHeat).count > 5000);
      assert(difference(old, own) < 5, String(difference(old, own)));
    });
  }

  test('values, data and the range of the colors are those of heatmap.js', async () => {
    const answers = [];
    for (const library of libraries) {
      const { page, done } = await visit(library, `${data}window.extrema = [];${create('onExtremaChange: ({ min, max }) => extrema.push([min, max])')}heat.setData({ min: 0, max: 100, data });`);
      answers.push(await page.evaluate(() => {
        const values = [[300, 200], [100, 50], [500, 350]].map(([x, y]) => heat.getValueAt({ x, y }));
        heat.setDataMax(200);
        heat.addData({ x: 10, y: 20, value: 250 });
        heat.addData([{ x: 10, y: 20, value: 100 }]);
        heat.repaint();
        const { min, max, data } = heat.getData();
        return { values, min, max, points: data.length, last: extrema.at(-1), at: heat.getValueAt({ x: 10, y: 20 }), url: heat.getDataURL().slice(0, 22) };
      }));
      await done();
    }
    const [old, own] = answers;
    for (const [i, value] of old.values.entries()) assert(Math.abs(value - own.values[i]) <= 3, JSON.stringify(answers));
    assert.deepEqual({ ...own, values: 0, at: 0 }, { ...old, values: 0, at: 0 });
    assert(Math.abs(own.at - 350) < 20, String(own.at));
  });

  test('points are removed, and the configuration is changed', async () => {
    const { page, done } = await visit('kiln-heatmap', `${create('')}heat.setData({ max: 1, data: [{ x: 100, y: 100, value: 1 }, { x: 500, y: 300, value: 1 }] });`);
    await page.evaluate(() => heat.removeData({ x: 100, y: 100, value: 1 }));
    await page.waitForTimeout(200);
    near(middle(await chromium.look(page), isHeat), { x: 500, y: 300 });
    const { count } = middle(await chromium.look(page), isHeat);
    await page.evaluate(() => heat.configure({ radius: 80, valueField: 'count' }).addData({ x: 200, y: 150, count: 1 }));
    await page.waitForTimeout(200);
    assert(middle(await chromium.look(page), isHeat).count > 2 * count);
    await done();
  });

  test('a layer on a plane is shown in the pixels of the container', async () => {
    const { page, done } = await visit('kiln-heatmap', `${create('')}heat.setData({ layer: 'plane', url: '${kiln.url}' });`);
    await page.waitForTimeout(500);
    near(middle(await chromium.look(page), isBlue), { x: 300, y: 200 });
    await done();
  });

  test('invalid points are errors that name them', async () => {
    const { page, done } = await visit('kiln-heatmap', create(''));
    const messages = await page.evaluate(() => [() => h337.create({}), () => heat.addData({ x: 1, value: 2 }), () => heat.setData([])].map((call) => {
      try { call(); } catch ({ message }) { return message; }
      return null;
    }));
    for (const [i, pattern] of [/container is missing/, /\{"x":1,"value":2\} is invalid; expected numbers x, y and value/, /data is missing; expected/].entries()) assert.match(messages[i] ?? 'no error', pattern);
    await done();
  });
});
