// WCAG 2.2 AA as far as a program can judge it: every view, light and dark, wide and narrow.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect, inject } from "vitest";

import { test } from "./support/fixtures.ts";
import { prepare, views } from "./support/views.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function violations(page: Page) {
  await page.evaluate(AXE);
  const results = await page.evaluate(
    (values) =>
      (window as any).axe.run(document, {
        runOnly: { type: "tag", values },
        resultTypes: ["violations"],
      }),
    RULES,
  );
  return (results as AxeResults).violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} (${help}): ${target} ${failureSummary}`),
  );
}

const SIZES = {
  wide: { width: 1440, height: 900 },
  narrow: { width: 360, height: 740 },
};

// The files are the same on both runtimes: one of them is enough.
test.skipIf(inject("target") !== "harness").for(Object.entries(SIZES))(
  "axe finds nothing on any view, %s",
  { timeout: 300_000 },
  async ([, viewport], { open, place }) => {
    const found: string[] = [];
    for (const { name, visit, show } of views(await prepare(place))) {
      const context = { viewport, reducedMotion: "reduce" as const };
      const tab = await open({ ...visit, context });
      const { page } = tab;
      await show(tab);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        for (const violation of await violations(page))
          found.push(`${name}, ${colorScheme}: ${violation}`);
      }
      const wider = await page.evaluate(
        () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
      );
      if (wider) found.push(`${name} is wider than its window`);
    }
    expect(found).toEqual([]);
  },
);
