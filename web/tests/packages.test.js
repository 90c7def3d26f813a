// Each package as a user installs it: from the server, by npm, in an empty project that is type-checked, bundled and opened.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { build } from 'vite';

import { PACKAGES } from '../packages.js';
import { middle, open } from './browser.js';
import { HOSTS, withoutInternet } from './cdn.js';
import { serve, site } from './kiln.js';
import { blocksOf } from './markdown.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const NAMES = Object.keys(PACKAGES);
/** The packages that a project of each needs, from web/node_modules. */
const NEEDED = { 'kiln-leaflet': ['leaflet', '@types/leaflet', '@types/geojson'], 'kiln-maplibre': ['maplibre-gl'], 'kiln-openlayers': ['ol'], 'kiln-google': ['@types/google.maps'], 'kiln-heatmap': [] };
/** The maximum size of a script, gzip-compressed, in bytes. */
const LIMITS = { 'kiln-leaflet': 11_000, 'kiln-maplibre': 5000, 'kiln-openlayers': 5000, 'kiln-google': 8000, 'kiln-heatmap': 6000 };
/** A user's own points, as docs/javascript.md writes them. */
const CSV = 'lat,lon,weight\n59.3293,18.0686,1\n59.3326,18.0649,0.7\n59.3340,18.0419,0.4\n59.3600,17.9450,0.1\n';

let kiln, chromium, gl;
before(async () => {
  [kiln, chromium, gl] = await Promise.all([serve('[layers.stops]\ninput = "stops.csv"\n[layers.clicks]\ninput = "clicks.csv"\ncrs = "plane"\n', { files: { 'stops.csv': CSV, 'clicks.csv': 'x,y\n300,-200\n310,-190\n' } }), open(), open({ webgl: true })]);
});
after(async () => {
  await Promise.all([chromium?.close(), gl?.close()]);
  kiln?.stop();
});

/** The names and the contents of the files of a tarball. */
function filesOf(tarball) {
  const bytes = gunzipSync(tarball);
  const files = new Map();
  for (let at = 0; bytes[at]; ) {
    const name = bytes.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = parseInt(bytes.toString('utf8', at + 124, at + 136), 8);
    files.set(name.replace(/^package\//, ''), bytes.subarray(at + 512, at + 512 + size));
    at += 512 + 512 * Math.ceil(size / 512);
  }
  return files;
}
const download = async (name) => Buffer.from(await (await fetch(`${kiln.url}/assets/${name}`)).arrayBuffer());

describe('the packages', () => {
  for (const name of NAMES) {
    test(`${name} has all files of its description, and no other ones`, async () => {
      const files = filesOf(await download(`${name}.tgz`));
      const description = JSON.parse(files.get('package.json'));
      assert.equal(description.name, name);
      for (const key of ['version', 'description', 'license', 'types']) assert(description[key], key);
      const targets = Object.values(description.exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
      for (const file of [...targets, description.types, 'README.md', 'LICENSE', 'LICENSE-APACHE']) assert(files.has(file.replace('./', '')), `${file} of ${[...files.keys()]}`);
      const others = [...files.keys()].filter((file) => !/^(dist\/[\w.-]+\.(js|css)|dist\/types\/.*\.d\.ts|example\/index\.html|README\.md|LICENSE(-APACHE)?|package\.json)$/.test(file));
      assert.deepEqual(others, []);
      // Types refer to files of the package only.
      for (const [file, text] of files) {
        for (const [, path] of file.endsWith('.d.ts') ? String(text).matchAll(/from '(\.[^']+)'/g) : []) {
          assert(files.has(join(file, '..', path).replace(/\.js$/, '.d.ts')), `${file}: ${path}`);
        }
      }
    });

    test(`${name} is small`, async () => {
      const file = existsSync(here(`../${name}/dist/${name}.iife.js`)) ? `${name}.iife.js` : `${name}.js`;
      const size = gzipSync(readFileSync(here(`../${name}/dist/${file}`)), { level: 9 }).length;
      assert(size <= LIMITS[name], `${size} bytes`);
    });

    test(`a new project with ${name} shows a layer within its first load`, async () => {
      const project = await projectOf(name);
      const files = await built(project);
      const host = await site(files, join(project, 'dist'));
      const browser = name === 'kiln-maplibre' ? gl : chromium;
      const { page, done } = await browser.page({ viewport: { width: 600, height: 400 } }, [kiln.url, host.url, ...HOSTS]);
      await withoutInternet(page);
      await page.goto(`${host.url}/index.html`);
      let count = 0;
      for (const end = Date.now() + 30_000; count < 300 && Date.now() < end; count = heat(await browser.look(page))) await page.waitForTimeout(200);
      assert(count >= 300, `${count} pixels`);
      await done();
      host.stop();
      rmSync(project, { recursive: true, force: true });
    });
  }
});

describe('the server', () => {
  test('packages have stable names, and are requested again with an ETag', async () => {
    for (const [name, type] of [['kiln-google.js', 'text/javascript'], ['kiln-maplibre.mjs', 'text/javascript'], ['kiln-leaflet.css', 'text/css'], ['kiln-google.tgz', 'application/gzip']]) {
      const response = await fetch(`${kiln.url}/assets/${name}`);
      assert(response.headers.get('content-type').startsWith(type), name);
      assert.equal(response.headers.get('cache-control'), 'no-cache');
      const again = await fetch(`${kiln.url}/assets/${name}`, { headers: { 'if-none-match': response.headers.get('etag') } });
      assert.equal(again.status, 304);
    }
  });
});

/** The number of colored pixels. Land and water of a basemap are gray. */
const heat = (seen) => middle(seen, ([red, green, blue]) => Math.max(red, green, blue) - Math.min(red, green, blue) > 60).count;

/** The script of a package in docs/javascript.md. */
const scriptOf = (name) => blocksOf('docs/javascript.md').find(({ language, text }) => language === 'ts' && text.includes(`from '${name}'`)).text;

/** An empty project with the package of the server and the script of the documents. */
async function projectOf(name) {
  const project = mkdtempSync(join(tmpdir(), `${name}-`));
  const local = Object.fromEntries(NEEDED[name].map((needed) => [needed, `file:${here(`../node_modules/${needed}`)}`]));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies: local }));
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', `${kiln.url}/assets/${name}.tgz`], { cwd: project, stdio: ['ignore', 'ignore', 'pipe'] });
  assert.equal(JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')).name, name);
  mkdirSync(join(project, 'src'));
  writeFileSync(join(project, 'src/main.ts'), scriptOf(name).replaceAll('http://127.0.0.1:3000', kiln.url));
  writeFileSync(join(project, 'index.html'), '<!doctype html><style>html, body, #map { height: 100%; margin: 0 }</style><div id="map"></div><script type="module" src="/src/main.ts"></script>');
  // As the types of Vite do.
  writeFileSync(join(project, 'src/vite.d.ts'), "declare module '*.css';\ndeclare module '*?worker&url' {\n  const url: string;\n  export default url;\n}\n");
  const options = { target: 'ES2022', lib: ['ES2022', 'DOM'], module: 'ESNext', moduleResolution: 'bundler', strict: true, noEmit: true, skipLibCheck: true, types: [] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['src'] }));
  return project;
}

/** Checks the types of a project and bundles it. */
async function built(project) {
  try {
    execFileSync(here('../node_modules/.bin/tsc'), ['--project', project], { stdio: 'pipe' });
  } catch ({ stdout }) {
    assert.fail(String(stdout));
  }
  await build({ configFile: false, root: project, logLevel: 'silent', build: { outDir: join(project, 'dist'), target: 'es2022' } });
  assert(readdirSync(join(project, 'dist')).includes('index.html'));
  return { '/index.html': readFileSync(join(project, 'dist/index.html'), 'utf8') };
}
