// Dashboards: the file for Grafana, the map page in a frame of another site, and the code for Observable.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { isHot, middle, open } from './browser.js';
import { HOSTS, withoutInternet } from './cdn.js';
import { serveIn, site } from './kiln.js';
import { blocksOf } from './markdown.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const DASHBOARD = JSON.parse(readFileSync(here('../../examples/grafana/dashboard.json'), 'utf8'));
const [MAP] = DASHBOARD.panels.filter(({ type }) => type === 'geomap');
const KILN = 'http://127.0.0.1:3000';

/** The code of docs/bi.md with a text in it. */
const codeWith = (part) => {
  const found = blocksOf('docs/bi.md').filter(({ language, text }) => ['html', 'js'].includes(language) && text.includes(part));
  assert.equal(found.length, 1, part);
  return found[0].text;
};

const now = Date.now();
const rows = [[59.3293, 18.0686, 1, now - 3_600_000], [59.3326, 18.0649, 0.7, now - 7_200_000], [59.36, 17.945, 0.1, now - 172_800_000]];
const STOPS = ['lat,lon,weight,time', ...rows.map(([lat, lon, weight, time]) => [lat, lon, weight, new Date(time).toISOString()])].join('\n');

let chromium, kiln, around, home;
before(async () => {
  chromium = await open();
  home = mkdtempSync(join(tmpdir(), 'kiln-dashboards-'));
  const pages = {};
  around = await site(pages);
  writeFileSync(join(home, 'stops.csv'), STOPS);
  writeFileSync(join(home, 'kiln.toml'), `[page]\nframe_ancestors = ["${around.url}"]\n[layers.stops]\ninput = "stops.csv"\n`);
  kiln = await serveIn(home);
  pages['/frame'] = `<!doctype html><body style="margin: 0">${codeWith('<iframe').replaceAll(KILN, kiln.url)}`;
  pages['/observable'] = page(
    '<link rel="stylesheet" href="/node_modules/leaflet/dist/leaflet.css"><script src="/node_modules/leaflet/dist/leaflet.js"></script>',
    // The function of notebooks and of Framework.
    `const display = (value) => (document.body.append(value), value);\n${codeWith('display(')}`.replaceAll(KILN, kiln.url),
  );
  pages['/grafana'] = page(
    '<link rel="stylesheet" href="/node_modules/ol/ol.css"><script src="/node_modules/ol/dist/ol.js"></script>',
    `document.body.innerHTML = '<div id="map" style="height: 500px"></div>';
    const { lat, lon, zoom } = ${JSON.stringify(MAP.options.view)};
    const layers = ${JSON.stringify(MAP.options.layers)}.map(({ config, opacity }) => new ol.layer.Tile({ opacity, source: new ol.source.XYZ({ url: replaced(config.url), attributions: config.attribution }) }));
    new ol.Map({ target: 'map', layers, view: new ol.View({ center: ol.proj.fromLonLat([lon, lat]), zoom }) });
    function replaced(url) {
      const values = ${JSON.stringify({ kiln: kiln.url, radius: '40', __from: String(now - 86_400_000), __to: String(now) })};
      return url.replaceAll(/\\$\\{(\\w+)\\}/g, (_, name) => values[name]);
    }`,
  );
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
  around?.stop();
  if (home) rmSync(home, { recursive: true, force: true });
});

const page = (head, script) => `<!doctype html><meta charset="utf-8">${head}<body style="margin: 0"><script>${script}</script>`;

/** Opens a page, and returns its screenshot when heat is on it. */
async function heatOf(path, host = around.url) {
  const { page, requested, complaints, done } = await chromium.page({ viewport: { width: 900, height: 500 } }, [kiln.url, host, ...HOSTS]);
  await withoutInternet(page);
  await page.goto(`${host}${path}`);
  let count = 0;
  for (const end = Date.now() + 30_000; count < 300 && Date.now() < end && !complaints.length; count = middle(await chromium.look(page), isHot).count) await page.waitForTimeout(200);
  assert(count >= 300 || complaints.length, `${count} hot pixels after the requests\n${requested.join('\n')}`);
  return { page, requested, done, picture: await chromium.look(page) };
}

describe('the dashboard for Grafana', () => {
  test('has the types of Grafana', () => {
    const folder = mkdtempSync(here('../node_modules/.kiln-grafana-'));
    try {
      const geomap = '@grafana/schema/dist/esm/raw/composable/geomap/panelcfg/x/GeomapPanelCfg_types.gen';
      const code = [
        "import type { Dashboard } from '@grafana/schema';",
        `import type { Options, TooltipMode } from '${geomap}';`,
        `export const dashboard: Dashboard = ${JSON.stringify(DASHBOARD)};`,
        // A text of JSON is no member of an enumeration.
        `export const options: Omit<Options, 'tooltip'> & { tooltip: { mode: \`\${TooltipMode}\` } } = ${JSON.stringify(MAP.options)};`,
      ];
      writeFileSync(join(folder, 'dashboard.ts'), code.join('\n'));
      const flags = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler'];
      const check = () => execFileSync(here('../node_modules/.bin/tsc'), [...flags, join(folder, 'dashboard.ts')], { encoding: 'utf8' });
      assert.equal(check(), '');
      writeFileSync(join(folder, 'dashboard.ts'), code.join('\n').replaceAll('"zoom"', '"zom"'));
      assert.throws(check, ({ stdout }) => /'"zom"' does not exist in type 'MapViewConfig'/.test(stdout));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('shows heat in the time range of the dashboard, with its variables', async () => {
    const { requested, done } = await heatOf('/grafana');
    const tiles = requested.filter((url) => url.startsWith(`${kiln.url}/stops/`));
    assert(tiles.length > 0 && tiles.every((url) => url.includes('radius=40') && url.includes(`start=${now - 86_400_000}&end=${now}`)), tiles[0]);
    const legend = /\((.*)\)/.exec(DASHBOARD.panels[1].options.content)[1];
    const query = legend.replace('${kiln}', kiln.url).replace('${radius}', '40').replace('${__from}', now - 86_400_000).replace('${__to}', now);
    assert.equal((await fetch(query)).headers.get('content-type'), 'image/png');
    await done();
  });

  test('its variables have the values that its list offers', () => {
    for (const { type, query, current, options } of DASHBOARD.templating.list) {
      if (type === 'custom') assert.deepEqual(options.map(({ value }) => value), query.split(','));
      assert(query.split(',').includes(current.value));
    }
  });
});

describe('the map page in a frame', () => {
  test('of a listed site: heat is on it', async () => {
    const { page, done } = await heatOf('/frame');
    const [, frame] = page.frames();
    assert.match(frame.url(), /#layer=stops/);
    assert(await frame.isVisible('.kiln-legend'));
    await done();
  });

  test('of another site: the browser does not show it', async () => {
    const other = await site({ '/frame': `<!doctype html>${codeWith('<iframe').replaceAll(KILN, kiln.url)}` });
    const { page, complaints } = await chromium.page({}, [kiln.url, other.url]);
    await page.goto(`${other.url}/frame`);
    for (const end = Date.now() + 10_000; !complaints.length && Date.now() < end; ) await page.waitForTimeout(50);
    assert.match(complaints.join('\n'), /frame-ancestors/);
    await page.context().close();
    other.stop();
  });
});

test('the code for Observable shows heat', async () => {
  const { requested, done } = await heatOf('/observable');
  assert(requested.some((url) => url.startsWith(`${kiln.url}/stops/12/`)));
  await done();
});
