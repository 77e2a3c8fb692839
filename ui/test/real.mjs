// The main job in a browser, against a real control plane with a real web-1 (test/functional/test_ui.py
// starts both, makes sure that nginx runs first, and asks web-1 afterwards what really happened).
import { createHash } from "node:crypto";
import { accessible, askPilot, check, email, expect, facts, open, password, shoot, signIn } from "./kit.mjs";
import { emptyState, looks, pages } from "./pages.mjs";

const down = "nginx on web-1 is down, bring it back";

async function server(page) {
  await page.getByRole("link", { name: "web-1" }).click();
  await check("the channel says which group was negotiated", async () => {
    const shown = await facts(page);
    expect(shown["Channel"].includes("post-quantum") && shown["Channel"].includes("X25519MLKEM768"), shown["Channel"]);
    expect(shown["System"].includes("Debian"), shown["System"]);
  });
  await check("charts move: a new sample comes by the stream, without being asked for", async () => {
    await page.getByText("live", { exact: true }).waitFor();
    const charts = page.locator(".chart");
    await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 4, null, { timeout: 40_000 });
    const titles = await charts.locator("figcaption b").allTextContents();
    expect(titles.join() === "CPU,Memory,Disk,Network", titles.join());
    const asked = [];
    page.on("request", (r) => { if (/\/metrics\b/.test(r.url())) asked.push(r.url()); });
    const picture = () => charts.locator("canvas").evaluateAll((all) => all.map((c) => c.toDataURL()));
    const before = await picture();
    await page.waitForFunction((old) => {
      const all = [...document.querySelectorAll(".chart canvas")];
      return all[0].toDataURL() !== old[0] && all[3].toDataURL() !== old[3];
    }, before, { timeout: 45_000 });
    expect(asked.length === 0, `it asked: ${asked}`);
  });
  await shoot(page, "metrics");
}

async function stopByButton(page) {
  await page.getByRole("tab", { name: "Services" }).click();
  const list = page.getByRole("list", { name: "Services" });
  await check("services are listed with their state", async () => {
    for (const unit of ["nginx.service", "ssh.service"])
      await list.getByRole("listitem").filter({ has: page.getByText(unit, { exact: true }) }).getByText("active · running").waitFor();
  });
  await check("nginx runs and is stopped by its button, after a question", async () => {
    await page.getByRole("textbox", { name: "Find a service" }).fill("nginx");
    const row = list.getByRole("listitem").filter({ has: page.getByText("nginx.service", { exact: true }) });
    await row.getByRole("button", { name: "stop nginx.service" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("stays stopped until somebody starts it").waitFor();
    await row.getByText("active · running").waitFor();  // asked, not done
    await dialog.getByRole("button", { name: "stop", exact: true }).click();
    await row.getByText("inactive · dead").waitFor({ timeout: 30_000 });
    await row.getByRole("button", { name: "start nginx.service", exact: true }).waitFor();
  });
}

async function cardSaysAll(card) {
  await check("the card shows intent, impact, target, who asked and until when", async () => {
    const shown = await facts(card);
    expect(shown["Intent"].includes("nginx"), `intent: ${shown["Intent"]}`);
    expect(/web-1 srv_/.test(shown["Target"]), `target: ${shown["Target"]}`);
    expect(shown["Asked by"].startsWith(`${email}, through the pilot`), `asked by: ${shown["Asked by"]}`);
    expect(/^for 1[45] min/.test(shown["Valid"]), `valid: ${shown["Valid"]}`);
    expect((await card.locator("dl.facts dd[title]").getAttribute("title")).length > 8, "no time until when");
    await card.getByText("caution", { exact: true }).waitFor();
    await card.getByText("pending", { exact: true }).waitFor();
  });
  await check("the exact bytes and their digest are shown whole, and agree", async () => {
    const bytes = await card.getByLabel("Exact bytes").textContent();
    const action = JSON.parse(bytes);
    expect(/^unit\.(re)?start$/.test(action.action) && action.unit === "nginx.service", bytes);
    const digest = createHash("sha256").update(bytes).digest("hex");
    await card.getByText(`SHA-256 ${digest}`).waitFor();
    await card.getByText("computed here too").waitFor();
  });
}

// Each state that the newest card is seen in, from now on.
const watch = (page) => page.evaluate(() => {
  window.seen = [];
  const look = () => {
    const state = [...document.querySelectorAll("article.approval")].at(-1)?.className.match(/pending|approved|executing|completed|failed|denied|expired/)?.[0];
    if (state && state !== window.seen.at(-1)) window.seen.push(state);
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
});

async function allow(page, base) {
  let card;
  await check("the Pilot says that it is built-in, and answers with a card", async () => {
    card = await askPilot(page, base, down);
    await page.getByRole("log").locator(".bubble.pilot").getByText("built-in, no model").first().waitFor();
  });
  await cardSaysAll(card);
  await check("card and conversation are accessible", () => accessible(page, "card"));
  await shoot(page, "card-pending");
  await check("after Allow the card shows executing, then completed with the outcome", async () => {
    await watch(page);
    await card.getByRole("button", { name: "Allow" }).click();  // waits until it is armed
    await page.locator("article.approval.executing").last().waitFor({ timeout: 20_000 });
    await page.locator("article.approval.completed").last().waitFor({ timeout: 30_000 });
    const seen = await page.evaluate(() => window.seen.join());
    expect(/^pending,(approved,)?executing,completed$/.test(seen), seen);
    const shown = await facts(card);
    expect(shown["Outcome"] === "nginx.service is active (running)", `outcome: ${shown["Outcome"]}`);
    expect(shown["Decided by"] === email, `decided by: ${shown["Decided by"]}`);
    expect(await card.getByRole("button").count() === 0, "it can be decided again");
  });
  await check("the Pilot is told, and the card is not repeated", async () => {
    await page.getByRole("log").getByText("unit.restart was allowed and completed: nginx.service is active (running)").waitFor();
    expect(await page.locator("article.approval").count() === 1, "the card is there twice");
  });
  await shoot(page, "card-completed");
}

async function deny(page, base) {
  const card = await askPilot(page, base, "restart nginx on web-1");
  await check("Deny asks for a reason; the card keeps it and the Pilot is told", async () => {
    await card.getByRole("button", { name: "Deny" }).click();
    await card.getByLabel(/Reason/).fill("Not during the day.");
    await card.getByRole("button", { name: "Deny now" }).click();
    await page.locator("article.approval.denied").last().waitFor();
    expect((await facts(card))["Reason"] === "Not during the day.", JSON.stringify(await facts(card)));
    await page.getByRole("log").getByText("The human denied unit.restart: Not during the day. Nothing was run.").waitFor();
  });
}

async function audit(page, base) {
  await page.goto(`${base}/audit`);
  const rows = page.getByRole("list", { name: "Entries, newest first" }).getByRole("listitem");
  for (const [what, action, result, ...texts] of [
    ["sign-in", "session.sign_in", "completed", email], ["proposal", "approval.propose", "pending", email, "pilot"],
    ["decision", "approval.approve", "completed", email], ["refusal", "approval.deny", "denied", email],
    ["stop by hand", "unit.stop", "pending", email, "web-1"], ["order", "unit.restart", "pending", email, "web-1", "pilot"],
    ["result", "operation.finish", "completed", "web-1"]])
    await check(`the audit page shows the ${what}`, async () => {
      await page.getByLabel("Action").fill(action);
      await page.getByLabel("Result").selectOption(result);
      const row = rows.filter({ has: page.locator("summary b", { hasText: action }) }).first();
      await row.waitFor();
      const text = await row.locator("summary").innerText();
      for (const t of [...texts, result]) expect(text.toLowerCase().includes(t), `${t} is not in: ${text}`);
    });
  await check("an entry is checked against the checkpoint, here", async () => {
    await page.getByLabel("Action").fill("approval.approve");
    const entry = page.locator("ol.audit details", { hasText: "approval.approve" }).first();
    await entry.locator("summary").click();
    await entry.getByRole("button", { name: "Check against" }).click();
    await entry.getByText("is in the log of the newest checkpoint").waitFor();
    await accessible(page, "audit entry");
  });
  await shoot(page, "audit");
}

async function mainJob(base) {
  const page = await open(1280);
  await signIn(page, base);
  await server(page);
  await stopByButton(page);
  await allow(page, base);
  await deny(page, base);
  await audit(page, base);
  await page.context().close();
}

// Tab until what has the focus is called so; no mouse, and nothing is focused by a script.
async function tabTo(page, name, most = 80) {
  const met = [];
  for (let i = 0; i < most; i++) {
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      const label = e.labels?.[0]?.textContent ?? "";
      return (e.getAttribute("aria-label") || label || e.textContent || e.tagName).replace("*", "").trim();
    });
    if (at === name) return;
    met.push(at.slice(0, 30));
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not reach "${name}"; it met ${[...new Set(met)].join(" | ")}`);
}

async function keyboard(base) {
  const page = await open(360);
  await page.goto(base);
  await page.getByLabel("E-mail").waitFor();
  await check("signing in by keyboard (360 px)", async () => {
    await tabTo(page, "E-mail");
    await page.keyboard.type(email);
    await tabTo(page, "Password");
    await page.keyboard.type(password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  await check("asking the Pilot by keyboard (360 px)", async () => {
    await tabTo(page, "Pilot");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Pilot", exact: true }).waitFor();
    await tabTo(page, "Message to the Pilot");
    await page.keyboard.type("restart nginx on web-1");
    await page.keyboard.press("Enter");
    await page.locator("article.approval.pending").waitFor({ timeout: 30_000 });
  });
  const card = page.locator("article.approval").last();
  await cardSaysAll(card);
  await check("the card fits 360 px and is accessible", () => accessible(page, "card at 360 px"));
  await shoot(page, "card-360");
  await check("deciding by keyboard (360 px): the focus is seen, Enter allows, the card completes", async () => {
    await tabTo(page, await card.getByLabel("Exact bytes").getAttribute("aria-label"));  // brings the card into view
    await page.waitForFunction((b) => !b.disabled, await card.getByRole("button", { name: "Allow" }).elementHandle());
    await tabTo(page, "Allow");
    const ring = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement), box = document.activeElement.getBoundingClientRect();
      // Whole, and with nothing above it: its four corners belong to it.
      const whole = [[box.left, box.top], [box.right, box.top], [box.left, box.bottom], [box.right, box.bottom]].every(([x, y]) =>
        document.activeElement.parentElement.contains(document.elementFromPoint(x + (x > box.left ? -6 : 6), y + (y > box.top ? -2 : 2))));
      return { outline: style.outlineStyle, width: parseFloat(style.outlineWidth), whole, at: [box.top, box.bottom] };
    });
    expect(ring.outline !== "none" && ring.width >= 1 && ring.whole, JSON.stringify(ring));
    await page.keyboard.press("Enter");
    await page.locator("article.approval.completed").last().waitFor({ timeout: 30_000 });
    expect((await facts(card))["Outcome"] === "nginx.service is active (running)", JSON.stringify(await facts(card)));
  });
  await page.context().close();
}

export const parts = {
  "first-use": (base) => emptyState(base, process.env.SETUP_TOKEN),
  looks: (base) => Promise.all(looks.map(([width, scheme]) => pages(base, width, scheme))),
  "main-job": mainJob,
  keyboard,
};
