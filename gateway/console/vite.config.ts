import { defineConfig, type Plugin } from 'vite'
import vue from '@vitejs/plugin-vue'
import components from 'unplugin-vue-components/vite'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const GATEWAY = process.env.GATEWAY_PUBLIC_URL ?? 'http://127.0.0.1:8080'

/** The gateway hands packed files out as they lie there. */
function packed(): Plugin {
  return {
    name: 'packed',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        for (const file of Object.values(bundle)) {
          if (!/\.(js|css|html|svg)$/.test(file.fileName)) continue
          const source = file.type === 'chunk' ? file.code : file.source
          const raw = Buffer.from(source)
          const brotli = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } })
          this.emitFile({ type: 'asset', fileName: file.fileName + '.br', source: brotli })
          this.emitFile({ type: 'asset', fileName: file.fileName + '.gz', source: gzipSync(raw, { level: 9 }) })
        }
      },
    },
  }
}

export default defineConfig({
  base: '/console/',
  plugins: [
    vue(),
    components({ dirs: [], dts: false, resolvers: [ElementPlusResolver({ importStyle: 'css' })] }),
    packed(),
  ],
  build: {
    // WeCom's own web views are years behind.
    target: ['chrome87', 'safari14'],
    assetsInlineLimit: 0,
    // The charts, which come when a page has one.
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ['index.html', 'sidebar.html', 'phone.html'] },
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': GATEWAY, '/auth': GATEWAY },
  },
})
