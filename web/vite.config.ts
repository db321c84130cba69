// Builds the page into dist/: static files with hashed names and relative addresses, so that the
// server can hand them out under /explorer/ and a browser may keep them for ever. Nothing is
// inlined, because the page's policy allows neither inline scripts nor inline styles.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: { outDir: 'dist', target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: 'es' },
  server: { proxy: { '/explorer/': process.env.ORRERY ?? 'http://127.0.0.1:8080' } },
});
