// The pictures of doc/, from a real control plane with a real web-1 (tools/pictures starts both).
//   node test/pictures.mjs URL FOLDER
import { join } from "node:path";
import { askPilot, check, email, expect, finish, open, signIn, stopped } from "./kit.mjs";

const [url, folder] = process.argv.slice(2);
const base = url.replace(/\/$/, "");
const take = (page, name, height) => check(`${name}.png`, async () => {
  await page.setViewportSize({ width: page.viewportSize().width, height });
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(600);  // charts and badges have moved to their places
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over <= 0, `${over} px too wide`);
  // Injects no style element, unlike page.screenshot(): the strict policy would complain.
  await page.screenshot({ path: join(folder, `${name}.png`), animations: "allow", caret: "initial" });
});

async function server(page) {
  await take(page, "servers", 420);
  await page.getByRole("link", { name: "web-1" }).click();
  await page.getByText("live", { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 4);
  await take(page, "server", 800);
}

async function stopNginx(page) {
  await page.getByRole("tab", { name: "Services" }).click();
  await page.getByRole("textbox", { name: "Find a service" }).fill("nginx");
  await page.getByRole("button", { name: "stop nginx.service" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "stop", exact: true }).click();
  await page.getByText("inactive · dead").waitFor();
}

async function card(page) {
  const asked = await askPilot(page, base, "nginx on web-1 is down, bring it back");
  await page.waitForFunction((b) => !b.disabled, await asked.getByRole("button", { name: "Allow" }).elementHandle());
  await take(page, "approval-card", 860);
  const phone = await open(360, "dark");
  await signIn(phone, base);
  await phone.goto(`${base}/approvals`);
  await phone.waitForFunction((b) => !b.disabled, await phone.getByRole("button", { name: "Allow" }).elementHandle());
  await take(phone, "approval-card-phone", 860);
  await phone.context().close();
  await asked.getByRole("button", { name: "Allow" }).click();
  await page.locator("article.approval.completed").waitFor({ timeout: 30_000 });
}

// From the Owner's first moment to the result of what was allowed.
async function audit(page) {
  await page.goto(`${base}/audit`);
  await page.locator("ol.audit summary b", { hasText: "owner.create" }).waitFor();
  await take(page, "audit", 1060);
}

try {
  const page = await open(1280);
  await signIn(page, base);
  await page.getByText(email).waitFor();
  for (const part of [server, stopNginx, card, audit]) await part(page);
} catch (e) { stopped(e); }
await finish();
