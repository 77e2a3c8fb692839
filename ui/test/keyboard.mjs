// The main job by keyboard alone, at 360 px, against a real control plane with a real web-1: no click, and nothing gets
// the focus but by its key (keys.mjs). test/functional/test_ui.py asks web-1 afterwards what really happened.
import { accessible, check, email, expect, facts, open, password, shoot } from "./kit.mjs";
import { dialogOf, opened, press, reach, uncovered, write } from "./keys.mjs";
import { cardSaysAll } from "./real.mjs";

const button = (where, name) => where.getByRole("button", { name, exact: true });
const heading = (page, name) => page.getByRole("heading", { name, exact: true });
const nav = (page, name) => page.getByRole("navigation", { name: "Main" }).getByRole("link", { name });
async function go(page, name) {
  await press(page, nav(page, name));
  await page.getByRole("heading", { level: 1, name }).waitFor();
}
async function fits(page, name) { await accessible(page, `${name} at 360 px`); await shoot(page, `keys-${name.replaceAll(" ", "-")}`); }

async function signInByKeys(page) {
  await write(page, page.getByLabel("E-mail"), email);
  await write(page, page.getByRole("textbox", { name: "Password" }), password);
  await page.keyboard.press("Enter");
  await heading(page, "Servers").waitFor();
}

async function signOutByKeys(page) {
  await check("by keyboard: sign-out leads to the sign-in, and going back shows nothing", async () => {
    await press(page, button(page, "Sign out"));
    await heading(page, "Sign in to CloudAIPilot").waitFor();
    await page.goBack();
    await heading(page, "Sign in to CloudAIPilot").waitFor();
  });
}

/** From the one-time link to the install command, and out. */
export async function firstKeys(base) {
  const page = await open(360);
  await page.goto(`${base}/setup#token=${process.env.SETUP_TOKEN}`);
  await check("by keyboard: the Owner is created and signed in (360 px)", async () => {
    await page.getByLabel("E-mail").waitFor();
    await fits(page, "set-up");
    await write(page, page.getByLabel("E-mail"), email);
    await write(page, page.getByRole("textbox", { name: "Password", exact: true }), password);
    await write(page, page.getByRole("textbox", { name: "Password again" }), password);
    await write(page, page.getByLabel("Organisation"), "Example");
    await press(page, button(page, "Create the Owner"));
    await heading(page, "Servers").waitFor();
  });
  await check("by keyboard: the first install command is made and left", async () => {
    await page.getByText("No servers yet").waitFor();
    await fits(page, "no servers");
    const add = button(page, "Add a server").first(), dialog = page.getByRole("dialog", { name: "Add a server" });
    await dialogOf(page, add, dialog);
    await press(page, add);
    await write(page, dialog.getByLabel("Name"), "web-1");
    await page.keyboard.press("Enter");
    await dialog.getByLabel("Install command").getByText("openssl").waitFor();
    await fits(page, "install command");
    await reach(page, button(dialog, "Copy install command"));
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
  await signOutByKeys(page);
  await page.context().close();
}

async function stopByKeys(page) {
  await check("by keyboard: a server's page, and its tabs by arrows", async () => {
    await press(page, page.getByRole("link", { name: "web-1" }));
    await page.locator(".chart canvas").first().waitFor();
    await fits(page, "server");
    await reach(page, page.getByRole("tab", { name: "Metrics" }));
    await reach(page, page.getByRole("tab", { name: "Services" }), "ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByRole("list", { name: "Services" }).getByRole("listitem").first().waitFor();
  });
  await check("by keyboard: nginx is stopped; its question takes the focus, and Escape gives it back", async () => {
    await write(page, page.getByRole("textbox", { name: "Find a service" }), "nginx");
    const row = page.getByRole("list", { name: "Services" }).getByRole("listitem").filter({ has: page.getByText("nginx.service", { exact: true }) });
    const stop = button(row, "stop nginx.service"), dialog = page.getByRole("dialog", { name: "stop nginx.service?" });
    await dialogOf(page, stop, dialog);
    await row.getByText("active · running").waitFor();  // left, not done
    await press(page, stop);
    await opened(page, dialog);
    await fits(page, "stop question");
    await press(page, button(dialog, "stop"));
    await row.getByText("inactive · dead").waitFor({ timeout: 30_000 });
    await uncovered(page);
    await reach(page, button(row, "start nginx.service"));
    await fits(page, "services");
  });
}

async function ask(page, text) {
  await write(page, page.getByLabel("Message to the Pilot"), text);
  await page.keyboard.press("Enter");
  await page.locator("article.approval.pending").waitFor({ timeout: 30_000 });
  return page.locator("article.approval").last();
}
const armed = (page, card) => card.getByRole("button", { name: "Allow" }).elementHandle().then((b) => page.waitForFunction((x) => !x.disabled, b));

async function allowByKeys(page) {
  let card;
  await check("by keyboard: the Pilot is asked and answers with a card", async () => {
    await go(page, "Pilot");
    await fits(page, "pilot");
    card = await ask(page, "nginx on web-1 is down, bring it back");
  });
  await cardSaysAll(card);
  await check("by keyboard: Allow leads to completed", async () => {
    await fits(page, "card");
    await reach(page, card.getByLabel("Exact bytes"));  // brings the card into view, which arms it
    await armed(page, card);
    await press(page, button(card, "Allow"));
    await page.locator("article.approval.completed").last().waitFor({ timeout: 30_000 });
    expect((await facts(card))["Outcome"] === "nginx.service is active (running)", JSON.stringify(await facts(card)));
  });
}

async function denyByKeys(page) {
  await check("by keyboard: Deny asks for a reason, and the card keeps it", async () => {
    await dialogOf(page, button(page, "Conversations"), page.getByRole("dialog", { name: "Conversations" }));
    await press(page, button(page, "Conversations"));
    await press(page, page.getByRole("dialog").getByRole("link", { name: "+ New conversation" }));
    await page.getByText("It changes nothing by itself").waitFor();
    const card = await ask(page, "restart nginx on web-1");
    await reach(page, card.getByLabel("Exact bytes"));
    await armed(page, card);
    await press(page, button(card, "Deny"));
    await write(page, card.getByLabel(/Reason/), "Not during the day.");
    await fits(page, "deny");
    await press(page, button(card, "Deny now"));
    await page.locator("article.approval.denied").last().waitFor();
    expect((await facts(card))["Reason"] === "Not during the day.", JSON.stringify(await facts(card)));
  });
}

async function auditByKeys(page) {
  await check("by keyboard: the log is filtered, an entry opened and checked", async () => {
    await go(page, "Audit");
    const rows = page.getByRole("list", { name: "Entries, newest first" }).locator("details");
    await rows.first().waitFor();
    await fits(page, "audit");
    await write(page, page.getByLabel("Action", { exact: true }), "approval.deny");
    await reach(page, page.getByLabel("Result"));
    await page.keyboard.type("denied");
    await page.waitForFunction(() => [...document.querySelectorAll("ol.audit details summary b")].every((b) => b.textContent === "approval.deny"));
    await press(page, rows.first().locator("summary"));
    await press(page, button(rows.first(), "Check against the checkpoint"));
    await rows.first().getByText("is in the log of the newest checkpoint").waitFor();
    await fits(page, "audit entry");
  });
}

export async function keyboard(base) {
  const page = await open(360);
  await page.goto(base);
  await check("by keyboard: sign-in (360 px)", async () => {
    await page.getByLabel("E-mail").waitFor();
    await fits(page, "sign-in");
    await signInByKeys(page);
    await page.locator("article").first().waitFor();
    await fits(page, "servers");
  });
  for (const part of [stopByKeys, allowByKeys, denyByKeys, auditByKeys, signOutByKeys]) await part(page);
  await page.context().close();
}
