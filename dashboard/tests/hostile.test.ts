// What people write is text, whatever it looks like.

import { expect } from "vitest";

import { approve, fresh, signal } from "./support/desk.ts";
import { test } from "./support/fixtures.ts";

const IMAGE = `<img src=/x onerror="window.pwned=1"><script>window.pwned=1</script>`;
/** Right-to-left override, isolates left open, a zero-width joiner: in front of what must stay. */
const BIDI = "\u202Egnp.exe\u2066\u2067\u200D";
const LONG = "W".repeat(2_000);

const NOTES = { image: IMAGE, bidi: BIDI, long: LONG };
/** A part of each that must be seen. */
const SEEN = { image: "<img src=/x onerror=", bidi: "gnp.exe", long: "W".repeat(60) };

for (const [name, note] of Object.entries(NOTES) as [keyof typeof NOTES, string][]) {
  test(`a hostile note is shown as text: ${name}`, async ({ open, place }) => {
    const symbol = fresh("BAD");
    await signal(place, symbol, "BUY");
    const tab = await open({ as: ["victor", "viewer"], at: `#/signals/${symbol}` });
    const requests: string[] = [];
    tab.page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await tab.detail.getByRole("heading", { name: symbol }).waitFor();
    // The name is hostile too, as far as a token's may be: one that is no plain text lets nobody in.
    await approve(place, "<b>mallory</b>\u200D", symbol, "RISK", note);
    await tab.toasts.getByText(/mallory.* decided RISK on/).waitFor();
    const shown = tab.detail.locator(".note").first();
    await shown.waitFor();
    expect(await shown.innerText()).toContain(SEEN[name]);
    for (const view of ["signals", "history"]) {
      await tab.page.evaluate((hash) => (location.hash = hash), `#/${view}`);
      await tab.page
        .getByText(view === "history" ? SEEN[name] : symbol)
        .first()
        .waitFor();
      expect(await layout(tab.page)).toEqual({ wider: false, pwned: false, made: 0, bidi: 0 });
    }
    expect(requests).not.toContain("/x");
  });
}

/** Whether the page is wider than its window, ran what it should not, or holds bare controls. */
function layout(page: import("playwright-core").Page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return {
      wider: scrollWidth > clientWidth,
      pwned: "pwned" in window,
      made: document.querySelectorAll("#page img, #page script, #page b > b").length,
      bidi: [...(document.body.textContent ?? "")].filter((one) => /[\u202A-\u202E]/.test(one))
        .length,
    };
  });
}
