/** Builds the renderer that the desktop window and the browser UI both show: `build/renderer/index.html`. */
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: 'renderer',
  // Relative, because Electron loads it from a file and the browser UI from its own server.
  base: './',
  plugins: [react(), tailwindcss()],
  build: {
    outDir: '../build/renderer',
    emptyOutDir: true,
    // The oldest Chromium that it must run in: Electron 25's, which the tests use.
    target: 'chrome114',
    cssTarget: 'chrome114',
    // The page's policy allows no `data:` but images of its own, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
