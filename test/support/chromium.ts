/** Debian's Chromium through playwright-core, with a profile of its own that goes when it is closed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { BROWSER } from "./needs.ts";

const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];

export class Browser {
  private constructor(
    private readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  /** Starts Chromium. There is no limit of time: on a busy machine it takes what it takes, and the test has a limit. */
  static async open(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "gomalloc-chromium-"));
    const options = { executablePath: BROWSER!, args: FLAGS, timeout: 0 };
    const context = await chromium.launchPersistentContext(profile, options);
    context.setDefaultTimeout(0);
    context.setDefaultNavigationTimeout(0);
    return new Browser(context, profile);
  }

  newPage(): Promise<Page> {
    return this.context.newPage();
  }

  async close(): Promise<void> {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}
