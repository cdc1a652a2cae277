import { defineConfig } from 'vite'

// The dev server hands /logtrail on to the proxy, so that page and proxy are one origin, as in production. Run the proxy
// beside it (`npm start`) with TRUST_PROXY=loopback, a development key and the session of your app.
export default defineConfig({
  server: {
    proxy: {
      '/logtrail/': {
        target: 'http://127.0.0.1:8790',
        // Host stays the page's, which the proxy compares with Origin.
        changeOrigin: false,
        // Sets X-Forwarded-For, -Host and -Proto.
        xfwd: true
      }
    }
  }
})
