import { randomUUID } from "node:crypto";
import { expect, type Page, test } from "@playwright/test";

const WORDS = {
  "zh-CN": { join: "加入房间", create: "创建房间", small: "小班课", occupancy: "上座率", missing: "房间不存在", broken: "服务器内部异常" },
  "en-US": {
    join: "Join",
    create: "Open room",
    small: "Small class",
    occupancy: "How full is it?",
    missing: "The room does not exist",
    broken: "Internal server error",
  },
};

/** The page in a language, as a user, with the name of a room that no other test has. Nothing may go wrong unseen. */
async function open(page: Page, language: string, user = "chen", room: string = randomUUID()): Promise<string> {
  page.on("pageerror", (error) => expect(error).toBeUndefined());
  await page.goto("/");
  await page.getByText(language === "zh-CN" ? "中文" : "English").click();
  await page.getByRole("combobox").selectOption(user);
  await page.getByRole("textbox").fill(room);
  return room;
}

for (const [language, words] of Object.entries(WORDS)) {
  test(`${language}: a missing room`, async ({ page }) => {
    await open(page, language);
    await page.getByRole("button", { name: words.join, exact: true }).click();
    const notice = page.getByRole("alert");
    await expect(notice.getByText(words.missing, { exact: true })).toBeVisible();
    await expect(notice.getByText(words.missing)).toHaveAttribute("lang", language);
    await expect(notice.getByText("1004 · ROOM_NOT_EXIST")).toBeVisible();
    await expect(notice.locator("code")).toHaveCount(0);
    await expect(page.locator("html")).toHaveAttribute("lang", language);
  });

  test(`${language}: what nobody foresaw, with its request id`, async ({ page }) => {
    const room = await open(page, language);
    await page.getByText(words.small).click();
    await page.getByRole("button", { name: words.create, exact: true }).click();
    await expect(page.getByRole("heading", { name: room })).toBeFocused();
    await page.getByRole("button", { name: words.occupancy }).click();
    const notice = page.getByRole("alert").filter({ hasText: "500 · INTERNAL_SERVER_ERROR" });
    await expect(notice.getByText(words.broken, { exact: true })).toBeVisible();
    await expect(notice.locator("code")).toHaveText(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    await expect(page.getByText("ZeroDivision")).toHaveCount(0);
  });
}

test("a lesson: open, join, take a seat, leave, while the other one watches", async ({ page, context }) => {
  const room = await open(page, "en-US");
  await page.getByRole("button", { name: "Open room" }).click();
  await expect(page.getByRole("status")).toHaveText("The room is open");

  const other = await context.newPage();
  await open(other, "zh-CN", "li", room);
  await other.getByRole("button", { name: "加入房间" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: "Li" })).toBeVisible();

  await other.getByRole("button", { name: "座位 1" }).click();
  await expect(other.getByRole("status")).toHaveText("您的座位： 1");
  await expect(page.getByRole("button", { name: "Seat 1 Li" })).toBeVisible();
  await page.getByRole("button", { name: "Seat 1 Li" }).click();
  await expect(page.getByRole("alert").getByText("The seat number already exists")).toBeVisible();
  await page.getByRole("button", { name: "How full is it?" }).click();
  await expect(page.getByRole("status")).toHaveText("Seats taken: 50 %");
  await expect(page.getByRole("alert").locator("*")).toHaveCount(0);

  await other.getByRole("button", { name: "离开房间" }).click();
  await expect(other.getByText("加入或创建一个房间，开始上课。")).toBeVisible();
  await expect(page.getByRole("listitem")).toHaveCount(1);
  await expect(page.getByRole("button", { name: "Seat 1 Free" })).toBeVisible();
});

test("a room that ends says why", async ({ page, request }) => {
  const room = await open(page, "zh-CN");
  await page.getByRole("button", { name: "创建房间" }).click();
  await expect(page.getByText("实时")).toBeVisible(); // else the room may be gone before the page watches it
  const closed = await request.post(`${process.env.VITE_GATEWAY}/classroom.v1.ClassroomService/CloseRoom`, {
    data: { room_uuid: room },
    headers: { authorization: "Bearer chen" },
  });
  expect(closed.ok()).toBe(true);
  await expect(page.getByRole("alert").getByText("ENGINE_ERROR_ROOM_CLOSED")).toBeVisible();
  await expect(page.getByText("加入或创建一个房间，开始上课。")).toBeVisible();
});

test("what an error suggests", async ({ page, context }) => {
  const room = await open(page, "en-US");
  await page.getByRole("button", { name: "Join" }).click();
  await page.getByRole("button", { name: "Open this room" }).click();
  await expect(page.getByRole("heading", { name: room })).toBeFocused();

  const other = await context.newPage();
  await open(other, "en-US", "wang", room);
  await other.getByRole("button", { name: "Open room" }).click();
  await expect(other.getByText("Room already exists")).toBeVisible();
  await other.getByRole("button", { name: "Join this room" }).click();
  await expect(other.getByRole("listitem")).toHaveCount(2);
});

test("a second page of the same user is in the same room, and out of it when the first one leaves", async ({ page, context }) => {
  const room = await open(page, "en-US");
  await page.getByRole("button", { name: "Open room" }).click();
  const second = await context.newPage();
  await open(second, "en-US", "chen", room);
  await second.getByRole("button", { name: "Join", exact: true }).click();
  await expect(second.getByRole("heading", { name: room })).toBeVisible();
  await expect(second.getByText("Live")).toBeVisible();
  await page.getByRole("button", { name: "Leave" }).click();
  await expect(second.getByText("Join a room, or open one")).toBeVisible();
});

test("a wrong field is marked", async ({ page }) => {
  await open(page, "zh-CN", "chen", "Math 101");
  await page.getByRole("button", { name: "创建房间" }).click();
  await expect(page.getByRole("alert").getByText("参数错误")).toBeVisible();
  await expect(page.getByRole("textbox")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByRole("textbox")).toBeFocused();
});

test("another language takes the message in the old one away", async ({ page }) => {
  await open(page, "zh-CN", "");
  await page.getByRole("button", { name: "加入房间" }).click();
  await expect(page.getByRole("alert").getByText("认证失败")).toBeVisible();
  await page.getByText("English").click();
  await expect(page.getByRole("alert").locator("*")).toHaveCount(0);
  await page.getByRole("button", { name: "Join" }).click();
  await expect(page.getByRole("alert").getByText("Authentication failed")).toBeVisible();
});

test("a gateway that can't be reached", async ({ page }) => {
  await open(page, "en-US");
  await page.route("**/classroom.v1.ClassroomService/*", (route) => route.abort());
  await page.getByRole("button", { name: "Join" }).click();
  await expect(page.getByRole("alert").getByText("The classroom can't be reached.")).toBeVisible();
});
