import { defineConfig } from 'vite';

// The widgets of the Python package, each a module without imports that the package contains.
const widget = process.env['WIDGET'] ?? 'heat';

export default defineConfig({
  build: {
    target: 'es2021',
    outDir: '../../crates/kiln-python/python/kiln/static',
    emptyOutDir: false,
    lib: { entry: `src/${widget}.ts`, formats: ['es'], fileName: () => `${widget}.js` },
  },
});
