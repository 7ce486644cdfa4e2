// What a first visit loads, of the page as it was built.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { expect, test } from "vitest";

const PAGE = fileURLToPath(new URL("../../../build/page/", import.meta.url));

/** Bytes gzipped; the chart is loaded when one is looked at. */
const MOST = 120_000;

const read = (path: string) => readFileSync(`${PAGE}${path}`);

/** The paths that the browser loads before anything is asked for. */
function firstLoad(): string[] {
  const found = new Set(["/index.html"]);
  for (const path of found) {
    const text = read(path).toString();
    const named = path.endsWith(".html")
      ? text.matchAll(/(?:src|href)="(\/[^"]+)"/g)
      : text.matchAll(/(?:\bfrom|^import|[;}]import)\s*"\.(\/[^"]+\.js)"/g);
    if (!/\.(html|js)$/.test(path)) continue;
    for (const [, other = ""] of named)
      found.add(path.endsWith(".html") ? other : `/assets${other}`);
  }
  return [...found];
}

test(`a first visit loads at most ${MOST} bytes`, () => {
  const sizes = firstLoad().map((path) => [path, gzipSync(read(path)).length] as const);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  console.log(`first load, gzipped: ${total} bytes`, Object.fromEntries(sizes));
  expect(sizes.map(([path]) => path)).toEqual(
    expect.arrayContaining([expect.stringMatching(/\.js$/)]),
  );
  expect(total).toBeLessThanOrEqual(MOST);
});

test("the chart waits until it is wanted", () => {
  const first = firstLoad();
  const later = readdirSync(`${PAGE}assets`).filter((name) => !first.includes(`/assets/${name}`));
  expect(later).toEqual(expect.arrayContaining([expect.stringMatching(/^chart-.*\.js$/)]));
});
