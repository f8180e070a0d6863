/** The picture in the README: the page twice, in both languages. */

import { expect, test } from "@playwright/test";

test("the picture", async ({ page, baseURL }) => {
  await page.setViewportSize({ width: 876, height: 626 });
  const frame = (name: string) => `<iframe name="${name}" src="${baseURL}" style="flex: 1; border: 1px solid #dbe1df; border-radius: 14px"></iframe>`;
  await page.setContent(
    `<body style="display: flex; gap: 16px; height: 100vh; margin: 0; padding: 8px; box-sizing: border-box">${frame("zh")}${frame("en")}</body>`,
  );

  const chinese = page.frameLocator('[name="zh"]');
  await chinese.getByText("中文").click();
  await chinese.getByRole("textbox").fill("r-42");
  await chinese.getByRole("button", { name: "加入房间" }).click();
  await expect(chinese.getByText("房间不存在")).toBeVisible();

  const english = page.frameLocator('[name="en"]');
  await english.getByText("English").click();
  await english.getByRole("textbox").fill("music-7");
  await english.getByText("Small class").click();
  await english.getByRole("button", { name: "Open room" }).click();
  await english.getByRole("button", { name: "How full is it?" }).click();
  await expect(english.getByText("Internal server error")).toBeVisible();
  await english.locator(".room").evaluate((room) => scrollBy(0, room.getBoundingClientRect().top - 16));

  await page.screenshot({ path: "../../../docs/classroom.png" });
});
