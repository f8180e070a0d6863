import AxeBuilder from "@axe-core/playwright";
import { type Browser, expect, type Page, test } from "@playwright/test";
import { address } from "./pages.ts";

const ROOM = "errgrpc.v1.ResCode.ROOM_NOT_EXIST";

test.beforeEach(async ({ page }) => watch(page));

/** Nothing may go wrong unseen, nothing may be fetched, and nothing that a catalogue says may run. */
function watch(page: Page): void {
  page.on("pageerror", (error) => expect(error).toBeUndefined());
  page.on("console", (message) => expect(message.text()).toBe(""));
  page.on("dialog", (dialog) => expect(dialog.message()).toBe(""));
  page.on("request", (request) => expect(request.url()).toMatch(/^(file|data):/));
}

const shown = (page: Page) => page.locator("article:visible h3");
const search = (page: Page) => page.getByRole("searchbox");

for (const query of ["1004", "room_not_exist", "房间不存在", "The room does not exist", "任何和房间强关联", ROOM, "ＲＯＯＭ_ＮＯＴ_ＥＸＩＳＴ"]) {
  test(`finds ${query}`, async ({ page }) => {
    await page.goto(address("ours"));
    await search(page).fill(query);
    await expect(shown(page)).toHaveText(/1004 ROOM_NOT_EXIST/);
    await expect(page.locator("#count")).toHaveText("1 of 37 codes");
  });
}

test("filters, the address that keeps them, and the way out", async ({ page }) => {
  await page.goto(address("ours"));
  await page.getByRole("combobox", { name: "gRPC" }).selectOption("NOT_FOUND");
  await expect(page.locator("#count")).toHaveText("4 of 37 codes");
  await page.getByRole("combobox", { name: "HTTP" }).selectOption("404");
  await expect(page.locator("#count")).toHaveText("2 of 37 codes");
  await page.waitForURL(/status=NOT_FOUND&http=404|http=404&status=NOT_FOUND/);
  await page.reload();
  await expect(page.locator("#count")).toHaveText("2 of 37 codes");
  await search(page).fill("no such text");
  await expect(page.getByText("No code matches")).toBeVisible();
  await page.getByRole("button", { name: "Clear search and filters" }).click();
  await expect(page.locator("#count")).toHaveText("37 of 37 codes");
  await expect(search(page)).toBeFocused();
  await page.getByRole("combobox", { name: "Catalogue" }).selectOption("errgrpc.v1.ComponentCode");
  await expect(page.getByRole("heading", { level: 2 })).toHaveText("errgrpc.v1.ComponentCode");
});

test("a link to a code is its place, whatever is searched", async ({ page }) => {
  await page.goto(address("ours", `?q=sold#${ROOM}`));
  const part = page.locator(`[id="${ROOM}"]`);
  await expect(part).toBeInViewport();
  await expect(page.locator("#count")).toHaveText("37 of 37 codes");
  await page.goto(address("large", "#shop.v1.ShopCode.ROOM_FAILURE_9000"));
  await expect(page.locator('[id="shop.v1.ShopCode.ROOM_FAILURE_9000"] h3')).toBeInViewport();
});

test("a click copies the link that never changes", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(address("ours", "?q=1004&lang=zh-CN"));
  await page.getByRole("link", { name: "1004 ROOM_NOT_EXIST" }).click();
  await expect(page.locator("#said")).toHaveText("链接已复制");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(address("ours", `#${ROOM}`));
});

test("by keyboard alone", async ({ page }) => {
  await page.goto(address("ours"));
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the codes" })).toBeFocused();
  await page.keyboard.press("/");
  await expect(search(page)).toBeFocused();
  await page.keyboard.type("room 1004");
  await expect(shown(page)).toHaveCount(1);
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("link", { name: "1004 ROOM_NOT_EXIST" })).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator("pre:visible")).toContainText('"reason": "ROOM_NOT_EXIST"');
  await page.keyboard.press("Escape");
  await expect(search(page)).toHaveValue("");
  await expect(page.locator("#count")).toHaveText("37 of 37 codes");
});

test("the language of the reader, and another one", async ({ browser }) => {
  const page = await (await browser.newContext({ locale: "zh-TW" })).newPage();
  watch(page);
  await page.goto(address("ours", "?q=1004"));
  const part = page.locator("article:visible");
  await expect(part.locator(".hint :visible")).toHaveText("房间不存在");
  await expect(part.getByText("何时发生")).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
  await page.getByRole("combobox", { name: "语言" }).selectOption("English (United States)");
  await expect(part.locator(".hint :visible")).toHaveText("The room does not exist");
  await expect(part.getByText("When it occurs")).toBeVisible();
  await page.waitForURL(/lang=en-US/);
  await page.reload();
  await expect(part.locator(".hint :visible")).toHaveAttribute("lang", "en-US");
  await page.context().close();
});

test("light and dark", async ({ browser }) => {
  const page = await (await browser.newContext({ colorScheme: "dark" })).newPage();
  watch(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.goto(address("ours"));
  const dark = await ground();
  await page.getByRole("button", { name: "Dark theme", pressed: true }).click();
  await expect(page.getByRole("button", { name: "Dark theme", pressed: false })).toBeVisible();
  expect(await ground()).not.toBe(dark);
  await page.waitForURL(/theme=light/);
  await page.context().close();
});

test("without JavaScript all of it is there", async ({ browser }) => {
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(address("ours", `#${ROOM}`));
  const part = page.locator(`[id="${ROOM}"]`);
  await expect(part).toBeInViewport();
  await expect(part.locator(".hint :visible")).toHaveText("房间不存在");
  await expect(search(page)).toHaveCount(0);
  await part.getByText("The JSON on the wire").click();
  await expect(part.locator("pre")).toBeVisible();
  await page.context().close();
});

test("a hostile catalogue stays text", async ({ page }) => {
  await page.goto(address("hostile"));
  await expect(page.getByRole("heading", { level: 1 })).toContainText("</script></style></pre><script>boom()");
  await search(page).fill("</script>");
  await expect(page.locator("#count")).toHaveText("1 of 1 codes");
  await page.getByText("The JSON on the wire").click();
  await expect(page.locator("pre")).toContainText("<!--<img src=x onerror=");
  expect(await page.locator("img, [onerror], main script, a[href^=javascript]").count()).toBe(0);
  await page.getByRole("heading", { level: 3 }).getByRole("link").click();
  await expect(page.locator("article:target")).toHaveCount(1);
});

const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1200, height: 30_000 }; // all at once: what is half under the bar while axe scrolls is no small target
for (const [name, viewport, colorScheme, locale, rest] of [
  ["ours", DESKTOP, "light", "en-US", ""],
  ["ours", DESKTOP, "dark", "zh-CN", "?q=room"],
  ["ours", PHONE, "light", "zh-CN", "?q=no+such"],
  ["hostile", PHONE, "dark", "en-US", ""],
] as const) {
  test(`axe finds nothing: ${name}, ${viewport.width} px, ${colorScheme}, ${locale}${rest}`, async ({ browser }) => {
    const page = await accessible(browser, viewport, colorScheme, locale);
    await page.goto(address(name, rest));
    if (viewport === PHONE) await page.getByRole("button", { name: /Filters|筛选/ }).click();
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    expect(found.violations.map((each) => [each.id, each.nodes.map((node) => node.html)])).toEqual([]);
    expect(found.passes.length).toBeGreaterThan(20);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
    await page.context().close();
  });
}

async function accessible(browser: Browser, viewport: typeof PHONE, colorScheme: "light" | "dark", locale: string): Promise<Page> {
  const page = await (await browser.newContext({ viewport, colorScheme, locale })).newPage();
  watch(page);
  return page;
}

test("10,000 codes are searched in under 100 ms", async ({ page }) => {
  await page.goto(address("large"));
  await search(page).fill("zzz"); // all is read
  await expect(page.locator("#count")).toHaveText("0 of 10000 codes");
  for (const [query, count] of Object.entries({ r: 10_000, "9999": 1, "房间 77": 111, "the room": 10_000, "": 10_000 })) {
    const took = await page.evaluate((value) => {
      const box = document.querySelector("input") as HTMLInputElement;
      const began = performance.now();
      box.value = value;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      return performance.now() - began;
    }, query);
    await expect(page.locator("#count")).toHaveText(`${count} of 10000 codes`);
    expect(took, query).toBeLessThan(100);
  }
});
