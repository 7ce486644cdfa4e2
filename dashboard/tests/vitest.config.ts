// The page in a real browser against a real server: `npm run test:browser`.

import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: fileURLToPath(new URL(".", import.meta.url)),
    include: ["*.test.ts"],
    globalSetup: ["support/setup.ts"],
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // Two cores: a browser and a server keep both busy.
    maxWorkers: 2,
    reporters: ["verbose"],
  },
});
