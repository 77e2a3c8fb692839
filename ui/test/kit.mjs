// What every check of the pages needs: a browser, counting, pictures, axe-core, signing in.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SHOTS;
export const email = process.env.CAIP_EMAIL ?? "mara@example.org";
export const password = process.env.CAIP_PASSWORD ?? "correct horse battery";
export const mocked = !process.argv[2];
let passed = 0, failed = 0;
export const children = [];

export async function check(name, f) {
  try { await f(); passed++; console.log(`ok    ${name}`); }
  catch (e) { failed++; console.log(`FAIL  ${name}: ${String(e?.message ?? e).split("\n").slice(0, 8).join("\n        ")}`); }
}
export function expect(condition, what) { if (!condition) throw new Error(what); }

export function mock(env) {
  const child = spawn(process.execPath, [join(here, "../mock.mjs"), "0"], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((r) => child.stdout.once("data", (d) => r(String(d).trim())));
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--headless"] });
export const complaints = [];
export async function open(width, scheme = "light", more = {}) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme, ignoreHTTPSErrors: true, bypassCSP: false, ...more });
  const page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" && !/status of (40[13]|410|422)/.test(m.text())) complaints.push(m.text()); });
  page.on("pageerror", (e) => complaints.push(String(e)));
  return page;
}
let picture = 0;
export const shoot = async (page, name) => {
  if (!shots) return;
  const before = complaints.length;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${String(++picture).padStart(2, "0")}-${name}.png`), fullPage: true });
  complaints.length = before;  // taking a picture adds a style element of its own
};
// axe runs through the debugger, so the page's CSP stays as it is.
export async function accessible(page, name) {
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
export async function signIn(page, base, who = { email, password }) {
  await page.goto(base);
  await page.getByLabel("E-mail").fill(who.email);
  await page.getByRole("textbox", { name: "Password" }).fill(who.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
}

/** Plugs an authenticator into this page's browser; `verifies` says whether its user shows a PIN or finger. */
export async function authenticator(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  return { verifies: (isUserVerified) => devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }) };
}

/** What the API says to whoever is signed in on this page. */
export const told = (page, path) => page.evaluate(async (p) => {
  const answer = await fetch(`/api/v1${p}`);
  if (!answer.ok) throw new Error(`${p}: ${answer.status}`);
  return await answer.json();
}, path);

/** The facts of a card or server by their names, as the page shows them. */
export const facts = (where) => where.locator("dl.facts").first().evaluate((list) =>
  Object.fromEntries([...list.querySelectorAll("dt")].map((t) => [t.textContent, t.nextElementSibling.textContent])));

/** A message to the Pilot in a new conversation; the card that comes of it. */
export async function askPilot(page, base, text) {
  await page.goto(`${base}/pilot`);
  await page.getByLabel("Message to the Pilot").fill(text);
  await page.keyboard.press("Enter");
  const card = page.locator("article.approval").last();
  await card.waitFor({ timeout: 30_000 });
  return card;
}

export function stopped(e) { failed++; console.log(`FAIL  stopped: ${e?.stack ?? e}`); }
export async function finish() {
  await check("no CSP violation and no error on the console", async () => expect(complaints.length === 0, [...new Set(complaints)].join("\n")));
  await browser.close();
  children.forEach((c) => c.kill());
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
