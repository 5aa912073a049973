import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

/** All scripts of the page together, as gzip sends them: the larger of the two forms. */
const MAX_SCRIPT_BYTES = 150_000;

/** Where `vite` (the development server) finds the service. */
const SERVICE = process.env['LARDER_URL'] ?? 'http://127.0.0.1:8081';

export default defineConfig({
  root: import.meta.dirname,
  cacheDir: join(import.meta.dirname, '../node_modules/.vite'),
  plugins: [vue(), compressed()],
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  build: {
    target: 'es2022',
    // The Content-Security-Policy allows no inline script, and images from data: only.
    assetsInlineLimit: (file) => file.endsWith('.svg'),
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 500,
  },
  server: {
    proxy: Object.fromEntries(
      ['/repos', '/github', '/events', '/page.json', '/demo', '/admin', '/metrics', '/health', '/docs'].map((path) => [
        path,
        SERVICE,
      ]),
    ),
  },
});

/** Writes each file's brotli and gzip form beside it, and fails the build when the scripts grow over their budget. */
function compressed(): Plugin {
  let folder = '';
  return {
    name: 'compressed-assets',
    apply: 'build',
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle() {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
        /\.(?:js|css|html|svg)$/.test(name),
      );
      const scriptBytes = files.map((name) => compress(join(folder, name))).reduce((sum, bytes) => sum + bytes, 0);
      if (scriptBytes > MAX_SCRIPT_BYTES)
        throw new Error(`The page's scripts are ${scriptBytes} bytes compressed; the budget is ${MAX_SCRIPT_BYTES}.`);
    },
  };
}

/** The bytes of the file's gzip form if it is a script, else 0. */
function compress(file: string): number {
  const content = readFileSync(file);
  const gzip = gzipSync(content, { level: 9 });
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  writeFileSync(`${file}.gz`, gzip);
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
  return file.endsWith('.js') ? gzip.length : 0;
}
