// Drives the UI in Chromium and lets axe-core look at each page.
//   node test/run.mjs [URL]          without URL: against mock.mjs on dist/
// Against a real control plane: CAIP_EMAIL and CAIP_PASSWORD of an account; SETUP_TOKEN creates the
// Owner first. SHOTS=DIR keeps pictures. CHROMIUM is the browser (default /usr/bin/chromium).
// Exit code 0: all held. The last line is "N passed, N failed".
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SHOTS;
const email = process.env.CAIP_EMAIL ?? "mara@example.org";
const password = process.env.CAIP_PASSWORD ?? "correct horse battery";
const mocked = !process.argv[2];
let passed = 0, failed = 0;
const children = [];

async function check(name, f) {
  try { await f(); passed++; console.log(`ok    ${name}`); }
  catch (e) { failed++; console.log(`FAIL  ${name}: ${String(e?.message ?? e).split("\n").slice(0, 8).join("\n        ")}`); }
}
function expect(condition, what) { if (!condition) throw new Error(what); }

function mock(env) {
  const child = spawn(process.execPath, [join(here, "../mock.mjs"), "0"], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((r) => child.stdout.once("data", (d) => r(String(d).trim())));
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--headless"] });
const complaints = [];
async function open(width, scheme = "light") {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme, ignoreHTTPSErrors: true, bypassCSP: false });
  const page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" && !/status of 40[13]/.test(m.text())) complaints.push(m.text()); });
  page.on("pageerror", (e) => complaints.push(String(e)));
  return page;
}
let picture = 0;
const shoot = async (page, name) => {
  if (!shots) return;
  const before = complaints.length;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${String(++picture).padStart(2, "0")}-${name}.png`), fullPage: true });
  complaints.length = before;  // taking a picture adds a style element of its own
};
// axe runs through the debugger, so the page's CSP stays as it is.
async function accessible(page, name) {
  await page.waitForTimeout(400);
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const r = await window.axe.run(document, { resultTypes: ["violations"] });
    return r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
      .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} ${n.any[0]?.message ?? ""}`).join(" | ")}`);
  });
  expect(found.length === 0, `${name}: ${found.join("\n")}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(over <= 0, `${name}: ${over} px too wide`);
}
async function signIn(page, base) {
  await page.goto(base);
  await page.getByLabel("E-mail").fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Servers" }).waitFor();
}

async function firstUse(base, token) {
  const page = await open(1280);
  await page.goto(`${base}/setup#token=${token}`);
  await page.getByLabel("E-mail").waitFor();
  await check("set-up takes the token out of the address", async () => expect(!page.url().includes("token"), page.url()));
  await check("set-up page is accessible", () => accessible(page, "setup"));
  await shoot(page, "setup");
  await check("the Owner is created and signed in", async () => {
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(password);
    await page.getByRole("textbox", { name: "Password again" }).fill(password);
    await page.getByLabel("Organisation").fill("Example");
    await page.getByRole("button", { name: "Create the Owner" }).click();
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  return page;
}

async function emptyState(base) {
  const page = await firstUse(base, "first-use");
  await check("no servers: the next step is offered, and the command shown", async () => {
    await page.getByText("No servers yet").waitFor();
    await shoot(page, "empty");
    await page.getByRole("button", { name: "Add a server" }).click();
    await page.getByLabel("Name").fill("web-1");
    await page.keyboard.press("Enter");
    await page.getByLabel("Install command").getByText("openssl").waitFor();
    await accessible(page, "install command");
    await shoot(page, "install-command");
    await page.keyboard.press("Escape");
  });
  await page.context().close();
}

async function pages(base, width, scheme) {
  const as = `${width} px ${scheme}`;
  const page = await open(width, scheme);
  await page.goto(base);
  await page.getByLabel("E-mail").waitFor();
  await check(`sign-in (${as})`, () => accessible(page, "sign-in"));
  await shoot(page, `sign-in-${width}-${scheme}`);
  await signIn(page, base);
  await page.locator("article").first().waitFor();
  await check(`servers (${as})`, () => accessible(page, "servers"));
  await shoot(page, `servers-${width}-${scheme}`);
  await page.locator("article a").first().click();
  await page.locator(".chart canvas").first().waitFor();
  await check(`metrics (${as})`, () => accessible(page, "metrics"));
  await shoot(page, `metrics-${width}-${scheme}`);
  await page.getByRole("tab", { name: "Services" }).click();
  await page.getByRole("list", { name: "Services" }).getByRole("listitem").first().waitFor();
  await check(`services (${as})`, () => accessible(page, "services"));
  await shoot(page, `services-${width}-${scheme}`);
  await page.getByRole("tab", { name: "Journal" }).click();
  await page.getByRole("textbox", { name: "Unit" }).fill("nginx.service");
  await page.keyboard.press("Escape");  // the list of units
  await page.getByRole("button", { name: "Read" }).click();
  await page.getByLabel("Journal lines").waitFor();
  await check(`journal (${as})`, () => accessible(page, "journal"));
  await shoot(page, `journal-${width}-${scheme}`);
  for (const [name, link] of [["pilot", "Pilot"], ["approvals", "Approvals"], ["members", "Members"], ["audit", "Audit"]]) {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: link }).click();
    await page.waitForTimeout(500);
    await check(`${name} (${as})`, () => accessible(page, name));
    await shoot(page, `${name}-${width}-${scheme}`);
  }
  await page.context().close();
}

async function approve(base) {
  const page = await open(1280);
  await signIn(page, base);
  if (!mocked) await check("nginx is stopped by its button, after a question", async () => {
    await page.getByRole("link", { name: "web-1" }).click();
    await page.getByRole("tab", { name: "Services" }).click();
    await page.getByRole("textbox", { name: "Find a service" }).fill("nginx");
    const stop = page.getByRole("button", { name: "stop nginx.service" });
    const start = page.getByRole("button", { name: "start nginx.service", exact: true });
    await stop.or(start).first().waitFor();
    if (await start.isVisible()) return;
    await stop.click();
    await page.getByRole("dialog").getByRole("button", { name: "stop" }).click();
    await start.waitFor({ timeout: 30_000 });
  });
  await page.goto(`${base}/pilot`);
  await page.getByLabel("Message to the Pilot").fill("nginx on web-1 is down, bring it back");
  await page.keyboard.press("Enter");
  const card = page.locator("article.approval").last();
  await check("the Pilot's answer brings a card", () => card.waitFor({ timeout: 30_000 }));
  await check("the card shows the exact bytes and their digest, checked here", async () => {
    await card.getByText(/"action":"unit\.(re)?start"/).waitFor();
    await card.getByText("computed here too").waitFor();
  });
  const allow = card.getByRole("button", { name: "Allow" });
  await check("Allow is shut at first and opens after a moment", async () => {
    if (mocked) expect(await allow.isDisabled(), "open at once");
    await page.waitForFunction((b) => !b.disabled, await allow.elementHandle(), { timeout: 5000 });
  });
  await check("card and conversation are accessible", () => accessible(page, "card"));
  await shoot(page, "card-pending");
  await check("by keyboard: Allow leads to completed", async () => {
    await allow.focus();
    await page.keyboard.press("Enter");
    await page.locator("article.approval.completed").last().waitFor({ timeout: 20_000 });
  });
  await shoot(page, "card-completed");
  await page.context().close();
}

async function log(base) {
  const page = await open(1280);
  await signIn(page, base);
  await check("an entry is checked against the checkpoint, here", async () => {
    await page.goto(`${base}/audit`);
    for (const entry of [page.locator("ol.audit details").first(), page.locator("ol.audit details").nth(2)]) {
      await entry.locator("summary").click();
      await entry.getByRole("button", { name: "Check against" }).click();
      await entry.getByText("is in the log of the newest checkpoint").waitFor();
    }
    await accessible(page, "audit entry");
    await shoot(page, "audit-entry");
  });
  if (mocked) await check("a changed entry is found out", async () => {
    await page.route("**/audit/entries*", async (r) => {
      const reply = await r.fetch();
      await r.fulfill({ response: reply, body: (await reply.text()).replaceAll("unit.status", "unit.start") });
    });
    await page.goto(`${base}/audit`);
    const entry = page.locator("ol.audit details", { hasText: "unit.start" }).first();
    await entry.locator("summary").click();
    await entry.getByRole("button", { name: "Check against" }).click();
    await entry.getByText("is not in the log").waitFor();
  });
  await page.context().close();
}

async function deny(base) {
  const page = await open(360);
  await signIn(page, base);
  await page.goto(`${base}/approvals`);
  const card = page.locator("article.approval.pending").first();
  await check("Deny asks for a reason and ends as denied", async () => {
    await card.scrollIntoViewIfNeeded();
    await card.getByRole("button", { name: "Deny" }).click();
    await page.getByLabel(/Reason/).fill("Not now.");
    await page.getByRole("button", { name: "Deny now" }).click();
    await page.getByText("Not now.").first().waitFor();
  });
  await page.context().close();
}

async function members(base) {
  const page = await open(360);
  await signIn(page, base);
  await check("a member is added and gets another role", async () => {
    await page.goto(`${base}/members`);
    await page.getByRole("button", { name: "Add a member" }).click();
    await page.getByLabel("E-mail").fill("vera@example.org");
    await page.getByRole("textbox", { name: "First password" }).fill("correct horse battery");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByLabel("Role of vera@example.org").selectOption("admin");
    await page.getByRole("button", { name: "Change" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll("button")].find((b) => b.textContent === "Change")?.disabled);
    await accessible(page, "members");
  });
  await page.context().close();
}

async function stale() {
  const base = await mock({});
  const page = await open(1280);
  await signIn(page, base);
  await check("when the server is gone the page says that it is stale", async () => {
    await page.getByText("live", { exact: true }).waitFor();
    const before = complaints.length;
    children.at(-1).kill();
    await page.getByText("stale, reconnecting").waitFor({ timeout: 10_000 });
    complaints.length = before;  // requests that fail are what this is about
  });
  await page.context().close();
}

async function hostile(base) {
  const page = await open(1280);
  await signIn(page, base);
  await check("text from servers stays text, hidden characters show as code points", async () => {
    await page.getByText("<b>bold</b>").waitFor();
    expect((await page.locator(".cp").allTextContents()).includes("U+202E"), "no U+202E shown");
    expect((await page.content()).includes("\u202e") === false, "a raw U+202E is in the page");
  });
  await check("a card whose digest is not that of its bytes cannot be allowed", async () => {
    await page.goto(`${base}/approvals`);
    const card = page.locator("article.approval", { hasText: "digest is not that of its bytes" });
    await card.getByRole("alert").waitFor();
    await card.scrollIntoViewIfNeeded();
    await page.waitForTimeout(2000);
    expect(await card.getByRole("button", { name: "Allow" }).isDisabled(), "Allow is open");
    expect(await card.getByRole("button", { name: "Deny" }).isEnabled(), "Deny is shut");
    await page.goto(`${base}/servers`);
  });
  await check("light and dark are switched by hand", async () => {
    await page.getByRole("button", { name: "Use dark colours" }).click();
    await page.locator("html[data-mantine-color-scheme=dark]").waitFor();
    await page.getByRole("button", { name: "Use light colours" }).click();
  });
  await check("stop asks first, and Escape leaves everything as it was", async () => {
    await page.getByRole("link", { name: "web-1" }).click();
    await page.getByRole("tab", { name: "Services" }).click();
    await page.getByRole("button", { name: "stop ssh.service" }).click();
    await page.getByRole("dialog").waitFor();
    await accessible(page, "confirmation");
    await shoot(page, "confirm");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "stop ssh.service" }).waitFor();
  });
  await page.context().close();
}

try {
  const base = (process.argv[2] ?? (await mock({}))).replace(/\/$/, "");
  if (mocked) {
    const wrong = await open(1280);
    await wrong.goto(base);
    await wrong.getByLabel("E-mail").fill(email);
    await wrong.getByRole("textbox", { name: "Password" }).fill("wrong");
    await wrong.keyboard.press("Enter");
    await check("a wrong password is said on the page", () => wrong.getByRole("alert").getByText("is wrong").waitFor());
    await wrong.context().close();
    await emptyState(await mock({ MOCK: "empty" }));
  } else if (process.env.SETUP_TOKEN) await (await firstUse(base, process.env.SETUP_TOKEN)).context().close();
  for (const [width, scheme] of [[1280, "light"], [360, "light"], [1280, "dark"], [360, "dark"]]) {
    if (mocked) { const again = await mock({}); await pages(again, width, scheme); } else await pages(base, width, scheme);
  }
  await approve(base);
  await log(base);
  if (mocked) { await deny(base); await hostile(base); await members(base); await stale(); }
  await check("no CSP violation and no error on the console", async () => expect(complaints.length === 0, [...new Set(complaints)].join("\n")));
} catch (e) { failed++; console.log(`FAIL  stopped: ${e?.stack ?? e}`); }
await browser.close();
children.forEach((c) => c.kill());
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
