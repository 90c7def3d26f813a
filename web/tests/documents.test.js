// The pages and scripts of the documents, run as they are in Chromium: each one that has a map shows heat on it.
//
// A block that begins with `<!doctype html>` is a page. A script that uses `map` replaces the last line of the script of the
// Leaflet page in docs/tiles-and-overlays.md, as the documents say, and one that imports packages is bundled. Files that a block
// names are written by the commands of its document, and `kiln serve` there, or else a server with the bundled points, is
// the server at 127.0.0.1:3000.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

import { middle, open } from './browser.js';
import { fileOf, HOSTS, withoutInternet } from './cdn.js';
import { PROGRAM, serveIn, site } from './kiln.js';
import { blocksOf, commandsOf, documents } from './markdown.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const LANGUAGES = ['html', 'js', 'javascript', 'mjs', 'jsx', 'ts', 'typescript', 'tsx', 'vue', 'svelte'];
/** A block with a map or a chart. */
const DRAWS = /\bL\.\w|['"]leaflet['"]|maplibre|mapboxgl|\bol[./]|google\.maps|pmtiles|deck\.gl|heatmap\.js|new (Map|Chart)\(/;

/** The blocks that are not run, by a part of their text, with the reason. */
const NOT_RUN = [
  ['docs/coming-from/leaflet-heat.md', 'leaflet.heat@0.2.0', 'Leaflet.heat alone, without Kiln'],
  ['docs/coming-from/heatmap-js.md', 'HeatmapOverlay', 'heatmap.js alone, without Kiln'],
  ['docs/occupancy.md', '@deck.gl/core', 'deck.gl is not a package of the tests; tests/it/grid_pictures.rs reads its terrain pictures'],
  ['docs/masks.md', 'new EventSource', 'no map; tests/it/masks_events.rs receives the events'],
  ['docs/masks.md', '<iframe', 'no map; mask.test.js opens the page in frames, and receives its messages'],
  ['docs/bi.md', '<iframe', 'no map; dashboards.test.js opens the page in a frame'],
  ['docs/bi.md', 'display(', 'the cell of a notebook; dashboards.test.js runs it'],
  ['docs/keys.md', 'key=${key}', 'a server with keys; tests/it/keys.rs sends the parameter'],
  ['docs/server.md', '<form', 'no map; tests/it/ingest_forms.rs sends forms'],
];

/** Layers of the bundled points, for documents that start no server. */
const CONFIG = `
[layers.cities]
input = "data/cities.parquet"
weight = "population"
[layers.quakes]
input = "data/earthquakes.geojson"
weight = "mag"
time = "time"
[layers.flights]
input = "data/flights.parquet"
weight = "delay"
category = "origin"
[layers.floor]
input = "data/floor/detections.csv.gz"
crs = "plane"
time = "time"
category = "space_id"
floorplan = { image = "data/floor/plan.png", bounds = [0, 0, 40, 24] }
`;

const blocks = documents().flatMap((file) => blocksOf(file).filter(({ language }) => LANGUAGES.includes(language)));
const reasonOf = ({ file, text }) => NOT_RUN.find(([name, part]) => name === file && text.includes(part))?.[2];
const run = blocks.filter((block) => !reasonOf(block));
const isPage = ({ text }) => /^<!doctype html>/i.test(text);
const LEAFLET_PAGE = blocks.find(({ file, text }) => file === 'docs/tiles-and-overlays.md' && isPage({ text }));

let chromium, bundled;
const homes = [];
before(async () => {
  chromium = await open();
  bundled = await serveIn(homeOf({ 'kiln.toml': CONFIG }));
});
after(async () => {
  await chromium?.close();
  bundled?.stop();
  for (const home of homes) rmSync(home, { recursive: true, force: true });
});

/** A folder with the bundled points and some files. */
function homeOf(files = {}) {
  const home = mkdtempSync(join(tmpdir(), 'kiln-documents-'));
  homes.push(home);
  symlinkSync(here('../../data'), join(home, 'data'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  return home;
}

/** Runs the commands of a document that come before a block and write a file: that which the block names, and inputs. */
function prepare({ file, line, text }) {
  const home = homeOf();
  const commands = commandsOf(blocksOf(file).filter((block) => block.line < line));
  const env = { ...process.env, PATH: `${join(PROGRAM, '..')}:${process.env.PATH}` };
  const output = (command) => /\s-o\s+(\S+)/.exec(command)?.[1];
  const named = commands.findLast((command) => output(command) && text.includes(`'${output(command)}'`));
  for (const command of commands) {
    const isInput = /^cat > /.test(command) || (named && /^kiln import /.test(command));
    if (isInput || command === named) execFileSync('bash', ['-euc', command], { cwd: home, env, stdio: ['ignore', 'ignore', 'pipe'] });
  }
  const serve = commands.findLast((command) => /^kiln serve [^-]/.test(command));
  const inputs = serve?.replace(/\s#.*/, '').split(/\s+/).slice(2);
  return { home, inputs };
}

/** The page of a block, and the further files of its folder. */
async function pageOf(block) {
  const { file, language, text } = block;
  if (isPage(block)) return { page: text, files: {} };
  if (/^import /m.test(text)) return bundle(text, language);
  assert.equal(language, 'js', `${file}:${block.line} is neither a page nor a script`);
  const names = readFileSync(here(`../../${file}`), 'utf8').includes('tiles-and-overlays.md#leaflet)');
  assert(names || file === LEAFLET_PAGE.file, `${file}: the document does not name the page that the script at line ${block.line} needs`);
  const lines = LEAFLET_PAGE.text.split('\n');
  const last = lines.lastIndexOf('</script>') - 1;
  assert.match(lines[last], /L\.tileLayer\(.*\/cities\//);
  return { page: lines.toSpliced(last, 1, text).join('\n'), files: {} };
}

/** A page with a script that imports packages, which must be those of web/package.json. */
async function bundle(text, language) {
  // Packages are found from there.
  const folder = mkdtempSync(here('../node_modules/.kiln-document-'));
  try {
    writeFileSync(join(folder, `entry.${language}`), text);
    const options = { configFile: false, root: folder, logLevel: 'silent', build: { write: false, target: 'es2022', rollupOptions: { input: join(folder, `entry.${language}`) } } };
    const { output } = await build(options);
    const files = Object.fromEntries(output.map(({ fileName, code, source }) => [fileName, code ?? source]));
    const links = Object.keys(files).filter((name) => name.endsWith('.css')).map((name) => `<link rel="stylesheet" href="${name}">`);
    const entry = output.find(({ isEntry }) => isEntry).fileName;
    const elements = '<div id="map" style="height: 100vh"></div><canvas id="canvas"></canvas>';
    const used = text.includes("'canvas'") ? '<canvas id="canvas"></canvas>' : elements.split('<canvas')[0];
    return { page: `<!doctype html><meta charset="utf-8">${links.join('')}${used}<script type="module" src="${entry}"></script>`, files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The number of colored pixels at the center, between the controls and legends at the edges. Land and water are gray, or nearly so. */
const colored = ({ width, height, at }) => middle({ width: width / 2, height: height / 2, at: (x, y) => at(x + width / 3, y + height / 5) }, ([red, green, blue]) => Math.max(red, green, blue) - Math.min(red, green, blue) > 60).count;

describe('pages and scripts of the documents', () => {
  test('each one is run, or listed with a reason', () => {
    assert(run.length >= 15, `only ${run.length} blocks`);
    for (const { file, line, text } of run) assert.match(text, DRAWS, `${file}:${line} has no map: list it in NOT_RUN`);
    for (const [file, part] of NOT_RUN) assert.equal(blocks.filter((block) => block.file === file && block.text.includes(part)).length, 1, `${file}: ${part}`);
    // Other languages that a map could be in.
    const others = documents().flatMap((file) => blocksOf(file)).filter(({ language, text }) => !LANGUAGES.includes(language) && /L\.map\(|new ol\.Map|maplibregl|google\.maps\.Map/.test(text));
    assert.deepEqual(others.map(({ file, line }) => `${file}:${line}`), []);
  });

  test('files of the CDN have the hash of the version that is named', () => {
    let checked = 0;
    for (const { file, line, text } of blocks.filter((block) => !reasonOf(block))) {
      for (const [tag] of text.matchAll(/<(?:script|link)[^>]*unpkg\.com[^>]*>/g)) {
        const path = /unpkg\.com\/([^"]+)"/.exec(tag)[1];
        const hash = createHash('sha256').update(readFileSync(fileOf(path))).digest('base64');
        assert(tag.includes(`integrity="sha256-${hash}"`), `${file}:${line}: ${path} has the hash sha256-${hash}`);
        checked++;
      }
    }
    assert(checked >= 15, String(checked));
  });

  for (const block of run) {
    test(`${block.file}, line ${block.line}: heat is on the map`, async () => {
      const { home, inputs } = prepare(block);
      const kiln = inputs ? await serveIn(home, inputs) : null;
      const { url } = kiln ?? bundled;
      // The layers that the document serves, and otherwise those of the bundled points.
      const needsFloor = /\/floor/.test(block.text);
      const server = needsFloor ? bundled.url : url;
      const { page: text, files } = await pageOf(block);
      const at = (code) => code.replaceAll(/http:\/\/(127\.0\.0\.1|localhost):3000/g, server);
      for (const [name, code] of Object.entries({ ...files, 'page.html': text })) {
        mkdirSync(join(home, name, '..'), { recursive: true });
        writeFileSync(join(home, name), typeof code === 'string' ? at(code) : code);
      }
      for (const name of ['kiln-leaflet.css', 'kiln-leaflet.iife.js'].filter((name) => text.includes(`"${name}"`))) {
        copyFileSync(here(`../kiln-leaflet/dist/${name}`), join(home, name));
      }
      const host = await site({}, home);
      // WebGL slows all other pages down.
      const own = block.text.includes('maplibre') ? await open({ webgl: true }) : null;
      const browser = own ?? chromium;
      const { page, requested, complaints, done } = await browser.page({ viewport: { width: 900, height: 600 } }, [server, host.url, ...HOSTS]);
      await withoutInternet(page);
      await page.goto(`${host.url}/page.html`);
      let count = 0;
      for (const end = Date.now() + 30_000; count < 300 && Date.now() < end && !complaints.length; count = colored(await browser.look(page))) await page.waitForTimeout(200);
      assert(count >= 300 || complaints.length, `${count} colored pixels after the requests\n${requested.join('\n')}`);
      await page.waitForTimeout(300);
      const isOfKiln = (each) => each.startsWith(server) || existsSync(join(home, decodeURIComponent(new URL(each).pathname)));
      assert(requested.some((each) => isOfKiln(each) && !each.endsWith('page.html')), requested.join('\n'));
      await done();
      await own?.close();
      host.stop();
      kiln?.stop();
    });
  }
});
