import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// `npm run dev` serves the page while it is written; what it asks for is answered by a Kiln server.
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
    // All is a file of its own: the policy of the page knows no scripts or pictures within others.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
  },
  server: {
    // Addresses of the server: all but those of the sources.
    proxy: { '^/(?!@|src/|node_modules/|index\\.html|$|kiln-leaflet/|\\?)': { target: server, bypass: ({ url }) => (url?.startsWith('/@') ? url : undefined) } },
  },
});
