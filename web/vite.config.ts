import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// `npm run dev` serves the pages during development and forwards its requests to a Kiln server.
const server = process.env['KILN'] ?? 'http://127.0.0.1:3000';

/** The pages in `dist`: where their source is, and the way from their URL to the root of the server. */
const PAGES = {
  'index.html': { source: 'page/index.html', root: './' },
  'matrix.html': { source: 'page/matrix.html', root: '../' },
  'mask.html': { source: 'mask/index.html', root: '../../' },
};

const pageOf = (source: string) => Object.entries(PAGES).find(([, page]) => source.endsWith(page.source));

/** Writes the pages to the top of `dist`, under the names that the server knows. */
const flat: Plugin = {
  name: 'flat',
  enforce: 'post',
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) file.fileName = pageOf(file.fileName)?.[0] ?? file.fileName;
  },
};

/** The source of a page or script by the URL that it has on the server, in development. */
function sourceOf(url = '/'): string | undefined {
  const path = url.replace(/[?#].*/, '');
  if (path === '/') return '/page/index.html';
  if (/^\/matrix\/[^/]+$/.test(path)) return '/page/matrix.html';
  if (/^\/masks\/[^/]+\/page$/.test(path)) return '/mask/index.html';
  return /^\/(@|page\/|mask\/|kiln-leaflet\/|kiln-client\/|node_modules\/)/.test(path) ? url : undefined;
}

export default defineConfig({
  root: here('.'),
  publicDir: here('page/public'),
  base: './',
  plugins: [flat],
  resolve: {
    alias: [
      { find: 'kiln-leaflet/kiln-leaflet.css', replacement: here('kiln-client/src/kiln.css') },
      { find: 'kiln-leaflet', replacement: here('kiln-leaflet/src/layers.ts') },
    ],
  },
  experimental: {
    // A base element would do, but the policy of the pages allows none.
    renderBuiltUrl: (file, { hostId, hostType }) => (hostType === 'html' ? `${pageOf(hostId)?.[1].root ?? './'}${file}` : { relative: true }),
  },
  build: {
    outDir: here('dist'),
    emptyOutDir: true,
    target: 'es2022',
    // No inlined assets: the content security policy of the page allows files only.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
    rollupOptions: { input: Object.values(PAGES).map(({ source }) => here(source)) },
  },
  server: {
    // All paths apart from those of the sources.
    proxy: { '^/': { target: server, bypass: ({ url }) => sourceOf(url) } },
  },
});
