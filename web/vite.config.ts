import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// `npm run dev` serves the page during development and forwards its requests to a Kiln server.
const server = process.env['KILN'] ?? 'http://127.0.0.1:3000';

export default defineConfig({
  root: here('page'),
  base: './',
  resolve: {
    alias: [
      { find: 'kiln-leaflet/kiln-leaflet.css', replacement: here('kiln-leaflet/src/kiln-leaflet.css') },
      { find: 'kiln-leaflet', replacement: here('kiln-leaflet/src/index.ts') },
    ],
  },
  build: {
    outDir: here('dist'),
    emptyOutDir: true,
    target: 'es2022',
    // No inlined assets: the content security policy of the page allows files only.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
  },
  server: {
    // All paths apart from those of the sources.
    proxy: { '^/(?!@|src/|node_modules/|index\\.html|$|kiln-leaflet/|\\?)': { target: server, bypass: ({ url }) => (url?.startsWith('/@') ? url : undefined) } },
  },
});
