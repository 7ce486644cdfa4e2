import preact from "@preact/preset-vite";
import { defineConfig, loadEnv, type Plugin } from "vite";

import { headersFile } from "./headers.ts";

/** Writes `_headers` beside the page, with the API's origin in the policy if it is another. */
function headers(origin: string): Plugin {
  return {
    name: "signalroom-headers",
    apply: "build",
    generateBundle() {
      this.emitFile({
        type: "asset",
        fileName: "_headers",
        source: headersFile(origin === "" ? [] : [origin]),
      });
    },
  };
}

const path = (relative: string) => decodeURIComponent(new URL(relative, import.meta.url).pathname);

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, path("."), "SIGNALROOM_");
  const server = env.SIGNALROOM_DEV_SERVER ?? "http://127.0.0.1:8787";
  return {
    root: path("."),
    envPrefix: "SIGNALROOM_PUBLIC_",
    plugins: [preact(), headers(env.SIGNALROOM_PUBLIC_API ?? "")],
    resolve: {
      alias: {
        // From its source: the page needs no build of the library.
        "@signalroom/client": path("./client/src/index.ts"),
      },
    },
    build: {
      outDir: path("../build/page"),
      emptyOutDir: true,
      target: "es2022",
      modulePreload: { polyfill: false },
      // Inlined images would need `data:` in places where the policy has none.
      assetsInlineLimit: 0,
    },
    server: {
      host: "127.0.0.1",
      proxy: {
        "/api": server,
        "/healthz": server,
        "/openapi.json": server,
        "/ws": { target: server, ws: true },
      },
    },
  };
});
