/** The picture in the README: what a developer finds who has the text that a user saw. */

import { expect, test } from "@playwright/test";
import { address } from "./pages.ts";

test("the picture", async ({ page }) => {
  await page.setViewportSize({ width: 1120, height: 1080 });
  await page.goto(address("ours", "?q=房间不存在"));
  await page.getByText("The JSON on the wire").locator("visible=true").click();
  await expect(page.locator("#count")).toHaveText("1 of 37 codes");
  await page.screenshot({ path: "../../../docs/error-reference.png" });
});
