import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    target: 'es2020',
    lib: {
      entry: 'src/index.ts',
      name: 'kilnLeaflet',
      formats: ['es', 'iife'],
      fileName: (format) => (format === 'es' ? 'kiln-leaflet.js' : 'kiln-leaflet.iife.js'),
    },
    rollupOptions: { external: ['leaflet'], output: { globals: { leaflet: 'L' } } },
  },
});
