// Pages of another origin with Leaflet, MapLibre GL and OpenLayers from npm, which use only the URLs of Kiln.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';

import { GREEN, isGreen, middle, near, open } from './browser.js';
import { serve, site, STOCKHOLM, TAVEUNI } from './kiln.js';

const SIZE = { width: 600, height: 400 };
const CENTER = { x: 300, y: 200 };
const { lat, lng } = STOCKHOLM;

let kiln, chromium, pages, host;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open({ webgl: true })]);
  pages = {};
  host = await site(pages);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  host?.stop();
});

const STYLE = '<style>html, body, #map { height: 100%; margin: 0; background: #fff }</style><div id="map"></div>';
const LEAFLET = `<!doctype html><link rel="stylesheet" href="/node_modules/leaflet/dist/leaflet.css">
  <script src="/node_modules/leaflet/dist/leaflet.js"></script>${STYLE}`;

/** Opens a page and waits until its script sets `shown`. */
async function visit(html, script, options = {}) {
  pages['/page'] = `${html}<script type="module">\nconst kiln = '${kiln.url}', style = 'gradient=${encodeURIComponent(GREEN)}&radius=20';\n${script}\n</script>`;
  const visitor = await chromium.page({ viewport: SIZE, ...options }, [kiln.url, host.url]);
  await visitor.page.goto(`${host.url}/page`);
  await visitor.page.waitForFunction(() => window.shown, null, { timeout: 20_000 }).catch((error) => {
    throw new Error(`${error.message}\n${visitor.complaints.join('\n')}`);
  });
  await visitor.page.waitForTimeout(150);
  return visitor;
}

const green = async (page) => middle(await chromium.look(page), isGreen);
const map = (center, zoom, options = '') => `
  const map = L.map('map', { zoomControl: false, attributionControl: false, fadeAnimation: false, zoomAnimation: false, ${options} }).setView([${center}], ${zoom});`;
const tileLayer = (layer, query = '') => `
  const tileJson = await (await fetch(\`\${kiln}/${layer}?\${style}${query}\`)).json();
  const tiles = L.tileLayer(tileJson.tiles[0].replace('{y}', '{y}{r}'), { maxNativeZoom: tileJson.maxzoom, attribution: tileJson.attribution });
  tiles.on('load', () => { window.shown = true; }).addTo(map);`;
const imageOverlay = (layer, projection = 'mercator') => `
  const view = map.getBounds(), size = map.getSize();
  const body = JSON.stringify({
    layer: '${layer}', gradient: '${GREEN}', radius: 20, projection: '${projection}', size: [size.x, size.y],
    bounds: [[view.getSouth(), view.getWest()], [view.getNorth(), view.getEast()]],
  });
  const headers = { 'Content-Type': 'application/json' };
  const reply = await (await fetch(kiln + '/overlays', { method: 'POST', headers, body })).json();
  L.imageOverlay(kiln + reply.url, reply.bounds).on('load', () => { window.shown = true; }).addTo(map);`;

describe('Leaflet as it is', () => {
  test('tiles show a town at its location', async () => {
    const { page, done } = await visit(LEAFLET, map([lat, lng], 6) + tileLayer('one'));
    near(await green(page), CENTER);
    await done();
  });

  test('an overlay shows a town at its location', async () => {
    const { page, done } = await visit(LEAFLET, map([lat, lng], 6) + imageOverlay('one'));
    near(await green(page), CENTER);
    await done();
  });

  test('an overlay in plate carrée is aligned with a map in plate carrée', async () => {
    const { page, done } = await visit(LEAFLET, map([lat - 1, lng + 2], 5, 'crs: L.CRS.EPSG4326') + imageOverlay('one', 'platecarree'));
    // At zoom 5 a degree is 256 · 2⁵ / 180 pixels.
    const degree = (256 * 2 ** 5) / 180;
    near(await green(page), { x: 300 - 2 * degree, y: 200 - degree });
    await done();
  });

  test('an overlay across the antimeridian shows both sides', async () => {
    const { page, done } = await visit(LEAFLET, map([TAVEUNI.lat, 179], 6) + imageOverlay('fiji'));
    near(await green(page), { x: 300 + (256 * 2 ** 6) / 360, y: 200 });
    await done();
  });

  test('tiles on both sides of the antimeridian meet', async () => {
    const { page, done } = await visit(LEAFLET, map([TAVEUNI.lat, -179], 6) + tileLayer('fiji'));
    near(await green(page), { x: 300 - (256 * 2 ** 6) / 360, y: 200 });
    await done();
  });

  test('a high-density screen gets twice the pixels', async () => {
    const plain = await visit(LEAFLET, map([lat, lng], 6) + tileLayer('one'));
    const usual = await green(plain.page);
    await plain.done();
    const { page, requested, done } = await visit(LEAFLET, map([lat, lng], 6) + tileLayer('one'), { deviceScaleFactor: 2 });
    assert(requested.some((url) => url.includes('@2x.png')));
    const dense = await green(page);
    near(dense, { x: 600, y: 400 }, 2.5);
    assert(Math.abs(dense.count / usual.count / 4 - 1) < 0.1, `${dense.count} of ${usual.count}`);
    await done();
  });
});

describe('other libraries', () => {
  /** The position of the town in Leaflet, with which the others must agree. */
  async function byLeaflet(zoom) {
    const { page, done } = await visit(LEAFLET, map([lat, lng], zoom) + tileLayer('one', '&vmin=0&vmax=0.001'));
    const seen = await green(page);
    await done();
    return seen;
  }

  test('MapLibre GL shows the same tiles', async () => {
    const html = `<!doctype html><link rel="stylesheet" href="/node_modules/maplibre-gl/dist/maplibre-gl.css">${STYLE}`;
    const { page, done } = await visit(
      html,
      `const maplibregl = await import('/node_modules/maplibre-gl/dist/maplibre-gl.mjs');
      const url = \`\${kiln}/one?\${style}&vmin=0&vmax=0.001\`;
      const map = new maplibregl.Map({
        container: 'map', center: [${lng}, ${lat}], zoom: 5, attributionControl: false, fadeDuration: 0,
        style: {
          version: 8, sources: { heat: { type: 'raster', tileSize: 256, url } },
          layers: [{ id: 'heat', type: 'raster', source: 'heat' }],
        },
      });
      map.on('idle', () => { window.shown = true; });`,
    );
    // MapLibre counts zooms of tiles of 512 pixels: its 5 is Leaflet's 6.
    const [seen, wanted] = [await green(page), await byLeaflet(6)];
    near(seen, CENTER);
    assert(Math.abs(seen.count / wanted.count - 1) < 0.12, `${seen.count} of ${wanted.count}`);
    await done();
  });

  test('OpenLayers shows the same tiles', async () => {
    const html = `<!doctype html><script src="/node_modules/ol/dist/ol.js"></script><link rel="stylesheet" href="/node_modules/ol/ol.css">${STYLE}`;
    const { page, done } = await visit(
      html,
      `const url = \`\${kiln}/one?\${style}&vmin=0&vmax=0.001\`;
      const source = new ol.source.TileJSON({ url, crossOrigin: 'anonymous', transition: 0 });
      const map = new ol.Map({
        target: 'map', controls: [], layers: [new ol.layer.Tile({ source })],
        view: new ol.View({ center: ol.proj.fromLonLat([${lng}, ${lat}]), zoom: 6 }),
      });
      source.on('change', () => map.once('rendercomplete', () => { window.shown = true; }));`,
    );
    const [seen, wanted] = [await green(page), await byLeaflet(6)];
    near(seen, CENTER);
    assert(Math.abs(seen.count / wanted.count - 1) < 0.12, `${seen.count} of ${wanted.count}`);
    await done();
  });
});
