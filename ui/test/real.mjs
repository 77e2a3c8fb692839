// The main job in a browser, against a real control plane with a real web-1 (test/functional/test_ui.py
// starts both, makes sure that nginx runs first, and asks web-1 afterwards what really happened).
import { createHash, createHmac } from "node:crypto";
import { accessible, askPilot, authenticator, check, complaints, email, expect, facts, open, password, shoot, signIn } from "./kit.mjs";

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
  await check("that it starts with the server is shown, and is changed in the menu, after a question", async () => {
    const row = list.getByRole("listitem").filter({ has: page.getByText("nginx.service", { exact: true }) });
    for (const verb of ["disable", "enable"]) {
      await row.getByRole("button", { name: "more for nginx.service" }).click();
      await page.getByRole("menuitem", { name: verb, exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: verb, exact: true }).click();
      await row.getByText("starts with the server").waitFor({ state: verb === "enable" ? "visible" : "detached", timeout: 30_000 });
    }
    await shoot(page, "services-enabled");
  });
}

export async function cardSaysAll(card) {
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
    expect(shown["Allowed by"]?.startsWith(email), `allowed by: ${shown["Allowed by"]}`);
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

export async function mainJob(base) {
  const page = await open(1280);
  await signIn(page, base);
  await server(page);
  await stopByButton(page);
  await allow(page, base);
  await deny(page, base);
  await audit(page, base);
  await page.context().close();
}

// The provider's pages ask for a font elsewhere and an icon that they do not have: not ours to complain of.
export async function openBesideProvider(width) {
  const page = await open(width);
  await page.route(/fonts\.g|favicon\.ico/, (r) => r.fulfill({ status: 204 }));
  return page;
}

// The provider's own pages (oidc-provider), as far as they are needed.
export async function atProvider(page, name) {
  await page.getByPlaceholder("Enter any login").fill(name);
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

export async function openidLink(base) {
  const page = await openBesideProvider(1280);
  await signIn(page, base);
  await page.goto(`${base}/account`);
  await check("an account at a provider is linked from Account security", async () => {
    await page.getByText("Nothing is linked yet").waitFor();
    await page.getByRole("button", { name: "Link Acme" }).click();
    await atProvider(page, "mara");
    await page.getByRole("list", { name: "Linked accounts" }).getByText("mara@example.org").waitFor();
    expect(!/code=|state=/.test(page.url()), page.url());
  });
  await check("the linked account is shown (accessible)", () => accessible(page, "sign-in methods"));
  await shoot(page, "sign-in-methods");
  await page.context().close();
}

export async function openid(base) {
  const page = await openBesideProvider(360);
  await page.goto(`${base}/audit`);
  const button = page.getByRole("button", { name: "Continue with Acme" });
  await check("the sign-in page offers what is configured (360 px)", async () => {
    await button.waitFor();
    await accessible(page, "sign-in with a provider");
    await shoot(page, "sign-in-provider");
  });
  await check("the provider's word signs in, with its new key, and leads on to where it began", async () => {
    await button.click();
    await atProvider(page, "mara");
    await page.getByRole("heading", { name: "Audit" }).waitFor();
    expect(page.url() === `${base}/audit`, page.url());
  });
  await page.context().close();
  const other = await openBesideProvider(360);
  await other.goto(base);
  await check("somebody unknown is not let in, and told what to do", async () => {
    await other.getByRole("button", { name: "Continue with Acme" }).click();
    await atProvider(other, "mallory");
    await other.getByRole("alert").getByText("not linked to anybody here").waitFor();
    expect(!/code=|state=/.test(other.url()), other.url());
    await accessible(other, "refused sign-in");
    await shoot(other, "sign-in-refused");
  });
  await check("cancelling at the provider ends on a page that says so", async () => {
    await other.context().clearCookies();
    await other.getByRole("link", { name: "Back to sign-in" }).click();
    await other.getByRole("button", { name: "Continue with Acme" }).click();
    await other.getByRole("link", { name: "Cancel" }).click();
    await other.getByRole("alert").getByText("cancelled at the provider").waitFor();
  });
  await check("a callback that nobody began does nothing", async () => {
    await other.goto(`${base}/sign-in/callback/acme?code=x&state=${"y".repeat(43)}`);
    await other.getByRole("alert").getByText("no sign-in was begun in this browser").waitFor();
  });
  await other.context().close();
}

// An invitation's link; at the provider its person is who was invited, or somebody else.
export async function openidInvitation(base) {
  const link = `${base}/invitation#token=${process.env.INVITATION}`;
  const page = await openBesideProvider(360);
  await check("an invitation offers to join with the provider, and its link leaves the address bar (360 px)", async () => {
    await page.goto(link);
    await page.getByRole("button", { name: "Join with Acme" }).waitFor();
    expect(!page.url().includes("token"), page.url());
    await accessible(page, "an invitation");
    await shoot(page, "invitation-provider");
  });
  await check("whoever has another address there is refused, and told why", async () => {
    await page.getByRole("button", { name: "Join with Acme" }).click();
    await atProvider(page, "mallory");
    await page.getByRole("alert").getByText("does not confirm that the address").waitFor();
    await accessible(page, "refused invitation");
    await shoot(page, "invitation-refused");
  });
  await page.context().close();
  const invited = await openBesideProvider(360);
  await check("who has the invited address is in, without a password", async () => {
    await invited.goto(link);
    await invited.getByRole("button", { name: "Join with Acme" }).click();
    await atProvider(invited, "nina");
    await invited.getByRole("heading", { name: "Servers", exact: true }).waitFor();
    await invited.goto(`${base}/account`);
    await invited.getByRole("region", { name: "E-mail address" }).getByText("nina@example.org").waitFor();
  });
  await invited.context().close();
}

// What an authenticator app does with the key that is shown (RFC 6238).
function totp(key, step) {
  const bits = [...key.replaceAll(" ", "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1e6).padStart(6, "0");
}
const stepNow = () => Math.floor(Date.now() / 30_000);

export async function secondFactor(base) {
  const page = await open(360);
  await signIn(page, base);
  await page.goto(`${base}/account`);
  let key, step, codes;
  await check("an authenticator app is set up: key and QR code, then its first code (360 px)", async () => {
    await page.getByRole("button", { name: "Set up an authenticator app" }).click();
    await page.getByRole("img", { name: "QR code" }).waitFor();
    key = await page.getByRole("dialog").locator("code").innerText();
    await accessible(page, "set up an authenticator app");
    await shoot(page, "totp-set-up");
    const before = complaints.length;
    await page.getByRole("textbox", { name: "Code" }).fill("000000");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("the code is wrong").waitFor();
    complaints.length = before;  // the refusal is what this is about
    step = stepNow();
    await page.getByRole("textbox", { name: "Code" }).fill(totp(key, step));
    await page.keyboard.press("Enter");
    await page.getByRole("list", { name: "Recovery codes" }).waitFor();
  });
  await check("the recovery codes are shown once", async () => {
    codes = await page.getByRole("list", { name: "Recovery codes" }).getByRole("listitem").allInnerTexts();
    expect(codes.length === 10 && new Set(codes).size === 10, codes.join());
    await accessible(page, "recovery codes");
    await shoot(page, "recovery-codes");
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByText("10 recovery codes are left").waitFor();
    await page.reload();
    await page.getByText("10 recovery codes are left").waitFor();
    expect(!(await page.content()).includes(codes[0]), "a code is in the page");
  });
  await page.context().close();
  const other = await open(360);
  const owe = async () => {
    await other.goto(base);
    await other.getByLabel("E-mail").fill(email);
    await other.getByRole("textbox", { name: "Password" }).fill(password);
    await other.keyboard.press("Enter");
    await other.getByRole("textbox", { name: "Code" }).waitFor();
  };
  await check("a sign-in asks for the code, by keyboard, and takes each once", async () => {
    await owe();
    await accessible(other, "second step");
    await shoot(other, "second-step");
    await other.getByRole("textbox", { name: "Code" }).fill(totp(key, step));
    await other.keyboard.press("Enter");
    await other.getByRole("alert").getByText("was used already").waitFor();
    await other.getByRole("textbox", { name: "Code" }).fill(totp(key, step + 1));
    await other.keyboard.press("Enter");
    await other.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  await check("a recovery code does in place of the app, and signing out and going back lead to the first step", async () => {
    await other.getByRole("button", { name: "Sign out" }).click();
    await other.getByLabel("E-mail").waitFor();
    await owe();
    await other.getByRole("button", { name: "Back to sign-in" }).click();
    await owe();
    await other.getByRole("textbox", { name: "Code" }).fill(codes[0].toLowerCase());
    await other.keyboard.press("Enter");
    await other.getByRole("heading", { name: "Servers", exact: true }).waitFor();
    await other.goto(`${base}/account`);
    await other.getByText("9 recovery codes are left").waitFor();
  });
  await other.context().close();
}

// The server's answer to the first attempt of a session that is older than five minutes; what follows is real.
async function askedForOnce(page, path) {
  await page.route(path, (r) => r.fulfill({ status: 403, contentType: "application/problem+json",
    body: JSON.stringify({ status: 403, code: "step_up_needed", title: "Show once more that it is you", detail: "", request_id: "req_1" }) }), { times: 1 });
}
async function rotate(page, base) {
  await page.goto(`${base}/secrets/keys`);
  await askedForOnce(page, /secrets.rotations$/);
  await page.getByRole("button", { name: "Rotate jwt" }).click();
  await page.getByRole("button", { name: "Rotate now" }).click();
  const dialog = page.getByRole("dialog", { name: "Is it you?" });
  await dialog.waitFor();
  return dialog;
}

export async function openidStepUp(base) {
  const page = await openBesideProvider(360);
  await page.goto(base);
  await page.getByRole("button", { name: "Continue with Acme" }).click();
  await atProvider(page, "mara");
  await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  const away = async () => {
    const dialog = await rotate(page, base);
    await dialog.getByRole("button", { name: "Acme" }).waitFor();
    return dialog;
  };
  const signInThere = async (name) => {
    await page.getByPlaceholder("Enter any login").fill(name);
    await page.getByPlaceholder("and password").fill("any");
    await page.getByRole("button", { name: "Sign-in" }).click();
    if (name !== "mara") await page.getByRole("button", { name: "Continue" }).click();  // she has agreed before
  };
  await check("a step-up offers the linked provider, which asks anew although somebody is signed in there (360 px)", async () => {
    const dialog = await away();
    await accessible(page, "step-up with a provider");
    await shoot(page, "step-up-provider");
    await dialog.getByRole("button", { name: "Acme" }).click();
    await signInThere("mara");
    await page.getByRole("heading", { name: "It is you" }).waitFor();
    expect(!/code=|state=/.test(page.url()), page.url());
    await accessible(page, "stepped up at a provider");
    await page.getByRole("button", { name: "Go back" }).click();
    await page.getByRole("button", { name: "Rotate jwt" }).waitFor();
  });
  await check("somebody else's account there does not do", async () => {
    await (await away()).getByRole("button", { name: "Acme" }).click();
    await signInThere("mallory");
    await page.getByRole("alert").getByText("not an account that is linked to you").waitFor();
    await shoot(page, "step-up-refused");
  });
  await check("nor does a session there, with the question taken out of the address", async () => {
    const dialog = await away();
    await page.route(/\/auth\?/, async (r) => {
      const url = new URL(r.request().url());
      url.searchParams.delete("prompt");
      url.searchParams.delete("max_age");
      await r.fulfill({ status: 302, headers: { location: String(url) } });
    }, { times: 1 });
    await dialog.getByRole("button", { name: "Acme" }).click();
    await page.getByRole("alert").getByText("does not say that they signed in anew").waitFor();
  });
  await page.context().close();
}

export async function passkey(base) {
  const page = await open(360);
  const key = await authenticator(page);
  const account = async () => { await page.goto(`${base}/account`); await page.getByRole("heading", { name: "Second factor" }).waitFor(); };
  const signOut = async () => { await page.getByRole("button", { name: "Sign out" }).click(); await page.getByLabel("E-mail").waitFor(); };
  const use = () => page.getByRole("button", { name: "Use a passkey" }).click();
  await signIn(page, base);
  await check("a passkey is added, and brings recovery codes (360 px)", async () => {
    await account();
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("laptop");
    await accessible(page, "add a passkey");
    await page.keyboard.press("Enter");
    await page.getByRole("list", { name: "Recovery codes" }).waitFor();
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByRole("list", { name: "Second factors" }).getByText("laptop").waitFor();
    await accessible(page, "passkeys");
    await shoot(page, "passkeys");
  });
  await check("the same device is not added twice", async () => {
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("laptop again");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("has a passkey for your account already").waitFor();
    await page.keyboard.press("Escape");
  });
  await check("the passkey alone signs in", async () => {
    await signOut();
    await use();
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  await check("a password alone does not any more, and the passkey is the second step", async () => {
    await signOut();
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("textbox", { name: "Password" }).fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Code" }).waitFor();
    await use();
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  await check("the passkey steps up, and without its user's PIN or finger it does not", async () => {
    const dialog = await rotate(page, base);
    await accessible(page, "step-up with a passkey");
    await shoot(page, "step-up-passkey");
    await key.verifies(false);
    await dialog.getByRole("button", { name: "Use a passkey" }).click();
    await dialog.getByRole("alert").getByText("was not used").waitFor();
    await key.verifies(true);
    await dialog.getByRole("button", { name: "Use a passkey" }).click();
    await page.getByText("generation 2").waitFor();
  });
  await check("without its user's PIN or finger it signs nobody in", async () => {
    await signOut();
    await key.verifies(false);
    await use();
    await page.getByRole("alert").getByText("was not used").waitFor();
    await key.verifies(true);
    await use();
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  await check("a removed passkey signs nobody in", async () => {
    await account();
    await page.getByRole("button", { name: "Remove laptop" }).click();
    await page.getByRole("button", { name: "Remove it" }).click();
    await page.getByText("None is set up").waitFor();
    await signOut();
    await use();
    await page.getByRole("alert").getByText("not accepted").waitFor();
  });
  await page.context().close();
}
