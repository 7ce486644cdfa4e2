// Chromium with pages that are watched: what they log, where they go, what their policy refuses.

import assert from "node:assert/strict";

import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

import { token, type Place, type Role } from "./server.ts";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts the browser that `CHROMIUM` names, with an empty profile. */
export function launch(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: FLAGS, headless: true });
}

/** What a test says about the page before it opens. */
export interface Visit {
  /** Who signs in, by the link that the server prints; nobody if left out. */
  as?: readonly [string, Role];
  /** How long the token is good, seconds. */
  ttl?: number;
  /** The fragment to open, as `#/city`. */
  at?: string;
  /** Errors in the log that the test provokes. */
  expects?: RegExp[];
  /** Size, colours, motion. */
  context?: BrowserContextOptions;
  /** Runs in the page before its own scripts. */
  before?: () => void;
}

/** A page and what was noticed about it. */
export class Tab {
  /** Main-frame navigations to another document. */
  documents = 0;
  readonly page: Page;
  readonly #errors: string[] = [];
  readonly #expects: RegExp[];

  private constructor(page: Page, expects: RegExp[]) {
    this.page = page;
    this.#expects = expects;
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        this.#errors.push(`${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => this.#errors.push(`uncaught ${error.message}`));
    page.on("crash", () => this.#errors.push("the page crashed"));
    page.on("request", (request) => {
      if (request.isNavigationRequest() && request.frame() === page.mainFrame())
        this.documents += 1;
    });
  }

  /** Opens the page as a person does: with the sign-in link, or without. */
  static async open(browser: Browser, place: Place, visit: Visit = {}): Promise<Tab> {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      ...visit.context,
    });
    context.setDefaultTimeout(45_000);
    const page = await context.newPage();
    const tab = new Tab(page, visit.expects ?? []);
    await page.addInitScript(() => {
      // Chromium logs some refusals only; this names all of them.
      addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy: ${event.effectiveDirective} ${event.blockedURI}`);
      });
    });
    if (visit.before) await page.addInitScript(visit.before);
    const link = visit.as ? `#token=${token(place, ...visit.as, visit.ttl)}` : "";
    await page.goto(`${place.url}/signals${link}`);
    if (visit.as) await tab.is("open");
    if (visit.at) await page.evaluate((hash) => (location.hash = hash), visit.at);
    return tab;
  }

  /** Waits until the connection is in `phase`. */
  async is(phase: string, timeout = 45_000) {
    await this.page
      .locator(`[data-testid=connection][data-phase=${phase}]`)
      .waitFor({ timeout, state: "attached" });
  }

  row(symbol: string) {
    return this.page.getByTestId(`row-${symbol}`);
  }

  /** Waits until the row says this of the decision. */
  async decision(
    symbol: string,
    text: "Pending" | "Decided Buy" | "Decided Neutral" | "Decided Risk",
  ) {
    await this.row(symbol).locator(".c-status").filter({ hasText: text }).waitFor();
  }

  get detail() {
    return this.page.getByTestId("detail");
  }

  get toasts() {
    return this.page.getByTestId("toasts");
  }

  /** The sign of life that a reload would wipe out. */
  async mark() {
    await this.page.evaluate(() => Object.assign(window, { marked: true }));
    this.documents = 0;
  }

  /** The document is the one that was marked. */
  async neverReloaded() {
    assert(await this.page.evaluate(() => "marked" in window), "the page was loaded anew");
    assert.equal(this.documents, 0, "the page went elsewhere");
  }

  /** Closes the page, which must have logged nothing that was not expected. */
  async close() {
    await this.page.context().close();
    const unexpected = this.#errors.filter(
      (error) => !this.#expects.some((expected) => expected.test(error)),
    );
    assert.deepEqual(unexpected, [], "the page logged what nobody expected");
  }
}
