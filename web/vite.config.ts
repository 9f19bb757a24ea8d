import { defineConfig } from 'vite'

/** Where `npm run dev` finds the server. */
const server = process.env.SYNAPTI_DEV_SERVER ?? 'http://127.0.0.1:8080'

export default defineConfig({
  // `client/` has packages of its own for its tests; two copies of Yjs in one page do not understand each other.
  resolve: { dedupe: ['yjs', 'lib0', 'y-protocols'] },
  // Below `dist/`, which holds a committed file: cargo watches that folder, so it must always be there.
  build: { outDir: 'dist/site', emptyOutDir: true, assetsInlineLimit: 0, modulePreload: false, target: 'es2022' },
  server: { proxy: { '/v1': { target: server, ws: true, changeOrigin: true, headers: { origin: server } } } }
})
