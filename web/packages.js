// Builds packages: `node packages.js [kiln-leaflet …]`, by default all; `--embed` copies them to the files that the server embeds. Writes to the folder `dist` of each an ES module, a script
// for pages without a bundler, the style sheet, and the types; the client that they share is a part of each.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The packages: the global variable of the script, if there is one, the imports that are not bundled with their global variables, and whether they have a style sheet. */
export const PACKAGES = {
  'kiln-leaflet': { global: 'kilnLeaflet', externals: { leaflet: 'L' }, hasStyle: true },
  'kiln-maplibre': { global: '', externals: { 'maplibre-gl': '' }, hasStyle: true },
  'kiln-openlayers': { global: '', externals: Object.fromEntries(['control/Control', 'layer/Tile', 'Overlay', 'proj', 'source/XYZ'].map((name) => [`ol/${name}.js`, ''])), hasStyle: true },
  'kiln-google': { global: 'kilnGoogle', externals: {}, hasStyle: false },
  'kiln-heatmap': { global: 'kilnHeatmap', externals: {}, hasStyle: false },
};

/** Builds a package. */
export async function buildPackage(name) {
  const { global, externals, hasStyle } = PACKAGES[name];
  const out = here(`${name}/dist`);
  rmSync(out, { recursive: true, force: true });
  await build({
    configFile: false,
    root: here(name),
    publicDir: false,
    logLevel: 'warn',
    build: {
      outDir: out,
      emptyOutDir: false,
      target: 'es2020',
      minify: true,
      lib: {
        entry: here(`${name}/src/index.ts`),
        ...(global ? { name: global, formats: ['es', 'iife'] } : { formats: ['es'] }),
        fileName: (format) => (format === 'es' ? `${name}.js` : `${name}.iife.js`),
      },
      rollupOptions: { external: Object.keys(externals), output: { globals: externals, exports: 'named' } },
    },
  });
  if (hasStyle) copyFileSync(here('kiln-client/src/kiln.css'), `${out}/${name}.css`);
  const types = ['--project', here(name), '--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', `${out}/types`];
  execFileSync(here('node_modules/.bin/tsc'), types, { stdio: 'inherit' });
  for (const license of ['LICENSE', 'LICENSE-APACHE']) copyFileSync(here(`../${license}`), here(`${name}/${license}`));
}

/** Copies the files of a package to the assets of the page, from where the server serves them under stable names. */
function embed(name) {
  const [from, to] = [here(`${name}/dist/${name}`), here(`dist/assets/${name}`)];
  copyFileSync(`${from}.js`, `${to}.mjs`);
  for (const [file, copy] of [[`${from}.iife.js`, `${to}.js`], [`${from}.css`, `${to}.css`]]) if (existsSync(file)) copyFileSync(file, copy);
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', here('dist/assets')], { cwd: here(name), stdio: ['ignore', 'pipe', 'ignore'] }));
  renameSync(here(`dist/assets/${packed.filename}`), `${to}.tgz`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isEmbedded = process.argv.includes('--embed');
  const names = process.argv.slice(2).filter((name) => name !== '--embed');
  for (const name of names.length ? names : Object.keys(PACKAGES)) {
    if (!PACKAGES[name]) throw new Error(`${name} is not a package: ${Object.keys(PACKAGES).join(', ')}`);
    await buildPackage(name);
    if (isEmbedded) embed(name);
  }
}
