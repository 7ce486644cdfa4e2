// The first start of a clone: the page is built while the server serves.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, inject } from "vitest";

import { test } from "./support/fixtures.ts";
import { Server } from "./support/server.ts";

/** Builds a page, but not before it is told to. */
const BUILD = `
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
while (!existsSync("../go")) await setTimeout(20);
mkdirSync("../build/page", { recursive: true });
writeFileSync("../build/page/index.html", "<title>Built</title><p>built");
`;

/** A project with a page of its own, and no dependencies. */
function project(): string {
  const root = mkdtempSync(join(tmpdir(), "signalroom-project-"));
  const name = "@signalroom/dashboard";
  const workspaces = ["dashboard"];
  const packages = {
    "": { name: "root", workspaces },
    [`node_modules/${name}`]: { resolved: "dashboard", link: true },
    dashboard: { name, version: "0.0.0" },
  };
  const scripts = { build: "node build.mjs" };
  mkdirSync(join(root, "dashboard"));
  for (const [file, text] of Object.entries({
    "wrangler.toml": "",
    "package.json": JSON.stringify({ name: "root", private: true, workspaces }),
    "package-lock.json": JSON.stringify({ name: "root", lockfileVersion: 3, packages }),
    "dashboard/package.json": JSON.stringify({ name, version: "0.0.0", scripts }),
    "dashboard/build.mjs": BUILD,
  }))
    writeFileSync(join(root, file), text);
  return root;
}

test.skipIf(inject("target") !== "harness")(
  "a page that is still being built opens by itself, at its address",
  async ({ browser }) => {
    const root = project();
    const server = await Server.start("harness", { project: root });
    const page = await browser.newPage();
    try {
      const refusals: string[] = [];
      page.on("console", (message) => {
        if (/Content Security/.test(message.text())) refusals.push(message.text());
      });
      const address = `${server.url}/signals#token=kept`;
      const first = await page.goto(address);
      expect(first?.status()).toBe(503);
      await page.getByText("The page is being built").waitFor();
      // It asks again by itself, and the API serves meanwhile.
      await page.waitForResponse((response) => response.status() === 503);
      expect((await fetch(`${server.url}/api/v1/healthz`)).status).toBe(200);
      writeFileSync(join(root, "go"), "");
      await page.getByText("built", { exact: true }).waitFor();
      expect(page.url()).toBe(address);
      expect(refusals).toEqual([]);
    } finally {
      await page.close();
      await server.dispose();
      rmSync(root, { recursive: true, force: true });
    }
  },
);
