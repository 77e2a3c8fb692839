import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Nothing may be inlined: the page runs under default-src 'self' with no exceptions.
export default defineConfig({
  plugins: [react()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 900,
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8090" } } },
});
