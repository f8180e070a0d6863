import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium, defineConfig } from "@playwright/test";

/** The system's Chromium, else the one that Playwright installed. */
function browser(): string {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {}
  }
  const own = chromium.executablePath();
  if (existsSync(own)) return own;
  throw new Error("chromium is missing: install your system's package `chromium`, or run `npx playwright install chromium`");
}

export default defineConfig({
  testDir: ".",
  testMatch: process.env.PICTURE ? "picture.ts" : "*.spec.ts",
  forbidOnly: true,
  workers: 1,
  reporter: "list",
  timeout: 120_000, // for machines that are busy; no test waits for time to pass
  expect: { timeout: 30_000 },
  outputDir: "../../../build/page-results",
  use: {
    browserName: "chromium",
    locale: "en-US",
    viewport: { width: 1200, height: 800 },
    // Without a sandbox only where Chromium refuses to run with one.
    launchOptions: { executablePath: browser(), args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] },
  },
});
