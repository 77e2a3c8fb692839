// Drives the UI in Chromium and lets axe-core look at each page.
//   node test/run.mjs                    against mock.mjs on dist/
//   node test/run.mjs URL [PART...]      against a real control plane; the parts are those of parts.mjs
// There: CAIP_EMAIL and CAIP_PASSWORD of an account. SHOTS=DIR keeps pictures. CHROMIUM is the
// browser (default /usr/bin/chromium). Exit code 0: all held. The last line is "N passed, N failed".
import { accessible, check, children, complaints, email, expect, finish, mock, mocked, open, password, shoot, signIn, stopped } from "./kit.mjs";
import { ai, aiAccess, askMode, plans, secondPerson } from "./ai.mjs";
import { interrupted } from "./interrupted.mjs";
import { letters, withoutMail } from "./letters.mjs";
import { notifications } from "./notifications.mjs";
import { emptyState, looks, pages } from "./pages.mjs";
import { parts } from "./parts.mjs";
import { security } from "./security.mjs";
import { sites } from "./sites.mjs";

async function approve(base) {
  const page = await open(1280);
  await signIn(page, base);
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
    expect(await allow.isDisabled(), "open at once");
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
  await check("filters narrow the log, and say when nothing fits", async () => {
    await page.goto(`${base}/audit`);
    await page.locator("ol.audit details").first().waitFor();
    await page.getByLabel("Action", { exact: true }).fill("session.sign_in");
    await page.locator("ol.audit details", { hasText: "session.sign_in" }).first().waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll("ol.audit details summary b")].every((b) => b.textContent === "session.sign_in"));
    await page.getByLabel("Text", { exact: true }).fill("no entry has these words in it");
    await page.getByText(/No entry matches|Nothing among the newest/).first().waitFor();
    await page.getByRole("button", { name: "Clear filters" }).click();
    await page.locator("ol.audit details").first().waitFor();
  });
  await check("the page says which servers have witnessed the log", async () => {
    const witnesses = page.locator("details", { hasText: "Witnesses:" });
    await witnesses.locator("summary").click();
    await witnesses.getByRole("list", { name: "Witnesses" }).getByText(/saw \d+ entries/).first().waitFor();
    await accessible(page, "audit witnesses");
    await shoot(page, "audit-witnesses");
  });
  await check("a changed entry is found out", async () => {
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
    await accessible(page, "team");
  });
  await check("a member is disabled after a question that says what ends, and enabled again", async () => {
    await page.getByRole("button", { name: "Disable vera@example.org" }).click();
    await page.getByText("let in no more from now on").waitFor();
    await accessible(page, "disabling a member");
    await page.getByRole("button", { name: "Disable now" }).click();
    const row = page.getByRole("list", { name: "Members" }).getByRole("listitem").filter({ hasText: "vera@example.org" });
    await row.getByText("disabled", { exact: true }).waitFor();
    await accessible(page, "a disabled member");
    await shoot(page, "member-disabled");
    await page.getByRole("button", { name: "Enable vera@example.org" }).click();
    await page.getByRole("button", { name: "Enable now" }).click();
    await row.getByText("disabled", { exact: true }).waitFor({ state: "detached" });
  });
  await check("a member is removed, and the page says what they still hold", async () => {
    await page.getByRole("button", { name: "Remove vera@example.org" }).click();
    await accessible(page, "removing a member");
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("SSH keys and accounts that were put on servers by hand").waitFor();
    await accessible(page, "what a removed member still holds");
    await shoot(page, "member-removed");
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByLabel("Role of vera@example.org").waitFor({ state: "detached" });
  });
  await check("a person is invited; the letter alone has the link, is sent again, and the invitation is revoked", async () => {
    await page.goto(`${base}/members`);
    await page.getByRole("tab", { name: "Invitations" }).click();
    await page.getByRole("button", { name: "Invite a person" }).click();
    await page.getByLabel("E-mail").fill("guest@example.org");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await page.getByText("A letter with the link is on its way to guest@example.org").waitFor();
    expect(!(await page.content()).includes("#token="), "a link is in the page");
    await accessible(page, "invitation by letter");
    await shoot(page, "invitation-by-letter");
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Send again to guest@example.org" }).click();
    await page.getByRole("dialog", { name: "Sent again" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Revoke the invitation of guest@example.org" }).click();
    await page.getByText("revoked").first().waitFor();
    await accessible(page, "invitations");
    await shoot(page, "invitations");
  });
  await check("the matrix is shown", async () => {
    await page.getByRole("tab", { name: "Roles" }).click();
    await page.getByText("server.enrol").waitFor();
    await accessible(page, "roles");
    await shoot(page, "roles");
  });
  await check("an API token is made and shown once, and revoked", async () => {
    await page.getByRole("tab", { name: "API tokens" }).click();
    await page.getByRole("button", { name: "Make a token" }).click();
    await page.getByLabel("Name").fill("deploy");
    await page.getByRole("checkbox", { name: /^server\.view/ }).waitFor();
    await accessible(page, "making a token");
    await shoot(page, "token-form");
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByLabel("API token", { exact: true }).getByText("caip_pat_").waitFor();
    await shoot(page, "token-made");
    await page.getByRole("button", { name: "Done" }).click();
    expect(!(await page.content()).includes("caip_pat_"), "the token is still in the page");
    await accessible(page, "tokens");
    await shoot(page, "tokens");
    await page.getByRole("button", { name: "Revoke deploy" }).click();
    await page.getByRole("button", { name: "Revoke deploy" }).waitFor({ state: "detached" });
  });
  await check("an organisation is founded, and the session acts in it", async () => {
    await page.goto(`${base}/organizations`);
    await page.getByRole("button", { name: "Found another" }).click();
    await page.getByLabel("Name").fill("Second");
    await page.getByRole("button", { name: "Found it" }).click();
    await page.getByRole("button", { name: "Act here: Second" }).waitFor();
    await accessible(page, "organisations");
    await shoot(page, "organisations");
    await page.getByRole("button", { name: "Act here: Second" }).click();
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
    await page.goto(`${base}/organizations`);
    await page.getByRole("button", { name: "Leave Second" }).waitFor();
  });
  await check("an organisation is deleted only by its name, after a look at what goes, and restored with one click", async () => {
    await page.getByRole("button", { name: "Delete Second" }).click();
    await page.getByRole("list", { name: "What goes" }).getByText("5 secrets").waitFor();
    const sure = page.getByRole("button", { name: "Delete in 7 days" });
    await page.getByLabel("Type its name").fill("second");
    expect(await sure.isDisabled(), "another name is enough");
    await page.getByLabel("Type its name").fill("Second");
    await accessible(page, "deleting an organisation");
    await shoot(page, "organisation-delete");
    await sure.click();
    await page.getByText("will be deleted for good on").waitFor();
    await accessible(page, "an organisation with a date");
    await shoot(page, "organisation-date");
    await page.getByRole("button", { name: "Restore Second" }).click();
    await page.getByRole("button", { name: "Delete Second" }).waitFor();
    expect(await page.getByText("will be deleted for good on").count() === 0, "it still has a date");
  });
  await page.context().close();
}

async function openCommands(base) {
  const page = await open(360);
  await signIn(page, base);
  await check("an install command that nobody has used is listed and revoked", async () => {
    await page.getByRole("button", { name: "Add a server" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("web-9");
    await page.keyboard.press("Enter");
    await page.getByLabel("Install command", { exact: true }).getByText("openssl").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Revoke the install command of web-9" }).waitFor();
    await accessible(page, "open install commands");
    await shoot(page, "open-install-commands");
    await page.getByRole("button", { name: "Revoke the install command of web-9" }).click();
    await page.getByRole("button", { name: "Revoke the install command of web-9" }).waitFor({ state: "detached" });
  });
  await check("a server is let go after its name was typed, says so, and is restored with one click", async () => {
    await page.getByRole("link", { name: "db-1" }).click();
    await page.getByRole("button", { name: "Disconnect db-1" }).click();
    const dialog = page.getByRole("dialog", { name: "Disconnect a server" });
    await dialog.getByText("it destroys nothing").waitFor();
    await dialog.getByText("One order is under way to it and ends without an answer.").waitFor();
    await dialog.getByText("2 env values in files of its users").waitFor();
    await accessible(page, "disconnect a server");
    await shoot(page, "disconnect-360");
    expect(await dialog.getByRole("button", { name: "Disconnect it" }).isDisabled(), "without the name");
    await dialog.getByRole("textbox", { name: "Type db-1 to disconnect it" }).fill("db-1");
    await dialog.getByRole("button", { name: "Disconnect it", disabled: false }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("It is forgotten on").waitFor();
    await dialog.waitFor({ state: "detached" });
    expect(await page.getByRole("button", { name: "Disconnect db-1" }).count() === 0, "it can be disconnected twice");
    await accessible(page, "a disconnected server");
    await shoot(page, "disconnected-360");
    await page.getByRole("link", { name: "All servers" }).click();
    await page.getByRole("article").filter({ hasText: "db-1" }).getByText("will be forgotten on").waitFor();
    await page.getByRole("link", { name: "db-1" }).click();
    await page.getByRole("button", { name: "Restore db-1" }).click();
    await page.getByRole("button", { name: "Disconnect db-1" }).waitFor();
    await page.getByRole("link", { name: "All servers" }).click();
  });
  await check("who can do what lists API tokens, too", async () => {
    await page.locator("article a").first().click();
    await page.getByRole("tab", { name: "Access" }).click();
    await page.getByText("scope of the token, and role owner").waitFor();
    await page.getByText("from 192.0.2.0/24, ends in 23 h").waitFor();
    await accessible(page, "access");
    await shoot(page, "access-tokens");
  });
  await page.context().close();
}

async function disown(base) {
  const page = await open(360);
  await signIn(page, base);
  await check("a sign-in is disowned from its notice: what that does is said, and a new password is asked for", async () => {
    await page.getByRole("link", { name: /^Notifications/ }).click();
    await page.getByRole("button", { name: /^This was not me: the sign-in of/ }).click();
    await page.getByText("All your sessions end, this one too").waitFor();
    await page.getByRole("textbox", { name: "New password", exact: true }).waitFor();
    await accessible(page, "disown a session");
    await shoot(page, "disown-session");
    await page.keyboard.press("Escape");
  });
  await check("from the session list likewise; this session has no such button, and the sign-in page is what comes then", async () => {
    await page.getByRole("link", { name: "Account", exact: true }).click();
    const rows = page.getByRole("list", { name: "Your sessions" }).getByRole("listitem");
    await rows.filter({ hasText: "Safari on iOS" }).waitFor();
    expect(await rows.filter({ hasText: "this one" }).getByRole("button").count() === 0, "this session can be disowned here");
    await page.getByRole("button", { name: "This was not me: the session of Safari on iOS from 198.51.100.4" }).click();
    const dialog = page.getByRole("dialog", { name: "This was not me" });
    const first = dialog.getByRole("textbox", { name: "New password", exact: true }), again = dialog.getByRole("textbox", { name: "New password again" });
    await first.fill("too short"); await again.fill("too short");
    await page.keyboard.press("Enter");
    await page.getByText("at least 15 characters; four").waitFor();
    await first.fill("seven unlikely otters sing"); await again.fill("seven unlikely otters sing");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Sign in to CloudAIPilot" }).waitFor();
  });
  await page.context().close();
}

async function account(base) {
  const page = await open(360);
  await signIn(page, base);
  const rows = page.getByRole("list", { name: "Your sessions" }).getByRole("listitem");
  await check("one sees the devices one is known on, and forgets one; what that does is said before", async () => {
    await page.getByRole("link", { name: "Account", exact: true }).click();
    const devices = page.getByRole("list", { name: "Your devices" }).getByRole("listitem");
    await devices.filter({ hasText: "Edge on Windows" }).getByText("not signed in").waitFor();
    expect(await devices.count() === 4 && await devices.filter({ hasText: "this one" }).count() === 1, "not four devices, one of them this one");
    await page.getByRole("button", { name: "Forget Safari on iOS, last sign-in from 198.51.100.4" }).click();
    const dialog = page.getByRole("dialog", { name: "Forget a device" });
    await dialog.getByText("It is signed out at once (one session).").waitFor();
    await accessible(page, "forget a device");
    await shoot(page, "forget-device-360");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await devices.count() === 4, "forgotten though nobody said so");
    await page.getByRole("button", { name: "Forget Chrome on Linux, last sign-in from 192.0.2.7" }).click();
    await dialog.getByText("You stay signed in here.").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Forget Edge on Windows, last sign-in from 203.0.113.30" }).click();
    await page.getByRole("button", { name: "Forget it" }).click();
    await devices.filter({ hasText: "Edge" }).waitFor({ state: "detached" });
    await dialog.waitFor({ state: "detached" });
  });
  await check("one sees where one is signed in, ends one session, and then all others", async () => {
    await page.getByRole("link", { name: "Account", exact: true }).click();
    await rows.filter({ hasText: "Safari on iOS" }).getByText("198.51.100.4").waitFor();
    await accessible(page, "account");
    await shoot(page, "account-360");
    expect(await rows.filter({ hasText: "this one" }).getByRole("button").count() === 0, "this session can be ended here");
    await page.getByRole("button", { name: "End the session of Safari on iOS from 198.51.100.4" }).click();
    await rows.filter({ hasText: "Safari" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "End all others" }).click();
    await page.getByRole("button", { name: "End them now" }).click();
    await rows.filter({ hasText: "caip" }).waitFor({ state: "detached" });
    await page.getByText("Nowhere else.").waitFor();
  });
  await check("a passkey is called something else", async () => {
    await page.getByRole("button", { name: "Rename Old phone" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("Blue key");
    await accessible(page, "rename a passkey");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Rename Blue key" }).waitFor();
  });
  await check("one sees what happened to one's account, and goes back in time", async () => {
    const list = page.getByRole("list", { name: "What happened to your account" });
    await list.getByText("203.0.113.9, wrong password").waitFor();
    await list.getByText("refused", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Show older" }).click();
    await list.getByText("owner, by somebody else").waitFor();
    await page.getByRole("button", { name: "Show older" }).waitFor({ state: "detached" });
    await accessible(page, "account history");
    await shoot(page, "account-history-360");
  });
  await check("a password that is refused says why; two that differ are not sent; a good one is changed", async () => {
    const first = page.getByRole("textbox", { name: "New password", exact: true }), again = page.getByRole("textbox", { name: "New password again" });
    await first.fill("too short");
    await again.fill("too shorT");
    await page.getByText("The two passwords differ.").waitFor();
    await again.fill("too short");
    await page.keyboard.press("Enter");
    await page.getByText("at least 15 characters; four").waitFor();
    await first.fill("seven unlikely otters sing");
    await again.fill("seven unlikely otters sing");
    await page.keyboard.press("Enter");
    await page.getByText("The password was changed.").waitFor();
    expect((await first.inputValue()) === "", "the password stays in the form");
  });
  await check("an Owner shortens the sessions of the organisation", async () => {
    await page.getByLabel("Without use, hours").fill("1.5");
    await page.getByRole("button", { name: "Set the limits" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll("button")].find((b) => b.textContent === "Set the limits")?.disabled);
  });
  await page.context().close();
}

async function stepUp(base) {
  const page = await open(360);
  await signIn(page, base);
  const sent = [];
  await page.route(/\/secrets\/rotations$/, async (r) => {
    sent.push(r.request().headers()["idempotency-key"]);
    if (sent.length % 2 === 0) return await r.continue();
    await r.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify({ status: 403, code: "step_up_needed", title: "Show once more that it is you", detail: "show once more that it is you to do this", request_id: "req_1" }) });
  });
  const dialog = page.getByRole("dialog", { name: "Is it you?" });
  const ask = async () => {
    await page.getByRole("button", { name: "Rotate jwt" }).click();
    await page.getByRole("button", { name: "Rotate now" }).click();
    await dialog.waitFor();
  };
  await page.goto(`${base}/secrets/keys`);
  await check("what is risky asks for the password; leaving that sends nothing more and says so", async () => {
    await ask();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("alert").getByText("step_up_needed").waitFor();
    expect(sent.length === 1, `sent ${sent.length} times`);
    await page.keyboard.press("Escape");
    sent.length = 0;
  });
  await check("a wrong password is said in the dialog, which asks for a code too where there is an app; the right ones send the same request again", async () => {
    await ask();
    const field = dialog.getByRole("textbox", { name: "Your password" });
    await page.waitForFunction(() => document.activeElement?.name === "password");
    const code = dialog.getByRole("textbox", { name: "Code" });
    await field.fill("wrong");
    await code.fill("123456");
    await page.keyboard.press("Enter");
    await dialog.getByText("the password is wrong").waitFor();
    await accessible(page, "step-up");
    await shoot(page, "step-up-360");
    await field.fill(password);
    await code.fill("000000");
    await page.keyboard.press("Enter");
    await dialog.getByText("the code is wrong").waitFor();
    await code.fill(" 123456 ");
    await page.keyboard.press("Enter");
    await page.getByText("generation 2").waitFor();
    expect(sent.length === 2 && sent[0] === sent[1], `keys ${sent}`);
  });
  await page.context().close();
}

async function env(base) {
  const page = await open(360);
  await signIn(page, base);
  const files = page.getByRole("list", { name: "Env files" });
  await check("the server's page says which env values are older than the secret, and places the newer ones with one button", async () => {
    await page.locator("article a").first().click();
    await page.getByRole("tab", { name: "Env values" }).click();
    await files.getByText("older value placed").waitFor();
    await files.getByText("version 2 (now 3)").waitFor();
    await accessible(page, "env values");
    await shoot(page, "env-360");
    await page.getByRole("button", { name: "Place newer values for www-data" }).click();
    await files.getByText("placed", { exact: true }).waitFor();
    expect((await files.getByText("older value").count()) === 0, "still older");
  });
  await check("values are placed for another user by keyboard, and removed", async () => {
    await page.getByRole("button", { name: "Place env values" }).click();
    await page.getByLabel("User of the server").fill("deploy");
    await page.getByRole("checkbox", { name: /SMTP_PASSWORD/ }).focus();
    await page.keyboard.press("Space");
    await accessible(page, "place env values");
    await shoot(page, "env-place-360");
    await page.getByRole("button", { name: "Place", exact: true }).focus();
    await page.keyboard.press("Enter");
    await files.getByText("deploy").waitFor();
    await page.getByRole("button", { name: "Remove values of deploy" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await files.getByText("deploy").waitFor({ state: "detached" });
  });
  await page.context().close();
}

async function secrets(base) {
  const page = await open(360);
  const canary = "canary-in-the-page-5f1e";
  await signIn(page, base);
  const rows = page.getByRole("list", { name: "Environment value" });
  await check("a secret is added, and its value is nowhere in the page", async () => {
    await page.goto(`${base}/secrets`);
    await page.getByRole("button", { name: "Add a secret" }).click();
    await page.getByLabel("Name").fill("API_TOKEN");
    await page.getByRole("textbox", { name: "Value" }).fill(canary);
    await page.getByRole("button", { name: "Store" }).click();
    await rows.getByText("API_TOKEN").waitFor();
    await accessible(page, "secrets");
    const everything = await page.evaluate(() => [...document.querySelectorAll("input, textarea")].map((e) => e.value).join() + document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
    expect(!everything.includes(canary), "the value is in the page");
  });
  await check("it is replaced, and the form begins empty", async () => {
    await page.getByRole("button", { name: "Replace API_TOKEN" }).click();
    expect((await page.getByRole("textbox", { name: "Value" }).inputValue()) === "", "the form has a value");
    await page.getByRole("textbox", { name: "Value" }).fill("another");
    await page.getByRole("dialog").getByRole("button", { name: "Replace" }).click();
    await rows.getByText("version 2").waitFor();
  });
  await check("Delete wants the name typed", async () => {
    await page.getByRole("button", { name: "Delete API_TOKEN" }).click();
    const yes = page.getByRole("button", { name: "Delete for good" });
    expect(await yes.isDisabled(), "open before the name");
    await page.getByLabel("Type its name").fill("API_TOKEN");
    await accessible(page, "delete a secret");
    await yes.click();
    await rows.getByText("API_TOKEN").waitFor({ state: "detached" });
  });
  await check("an SSH key is made, and shows its public half", async () => {
    await page.getByRole("tab", { name: "SSH keys" }).click();
    await page.getByRole("button", { name: "Add an SSH key" }).click();
    await page.getByLabel("Name").fill("backup");
    await page.getByRole("button", { name: "Store" }).click();
    await page.getByText(/^ssh-ed25519 .* backup$/).waitFor();
    await accessible(page, "ssh keys");
    await shoot(page, "ssh-keys");
  });
  await check("a key is rotated after a question", async () => {
    await page.getByRole("tab", { name: "Keys and rotation" }).click();
    await page.getByRole("button", { name: "Rotate root" }).click();
    await page.getByRole("button", { name: "Rotate now" }).click();
    // Of this key: another part has rotated another one.
    await page.getByRole("list", { name: "Keys" }).getByText(/^XAES-256-GCM, generation 2/).waitFor();
    await accessible(page, "keys");
    await shoot(page, "keys");
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
    expect((await page.getByRole("dialog").innerText()).includes("shut everybody out"), "stopping ssh says what it may do");
    expect(await page.getByRole("button", { name: /systemd-journald/ }).count() === 0, "a unit of the machine has no buttons");
    await accessible(page, "confirmation");
    await shoot(page, "confirm");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "stop ssh.service" }).waitFor();
  });
  await check("what runs, what listens and how full disks are is asked for and shown as tables", async () => {
    for (const [tab, table, cells] of [["Processes", "processes", ["nginx", "www-data", "nginx.service", "40.0 MiB", "93.2 s"]], ["Ports", "ports", ["22", "ssh.service"]], ["Disks", "disks", ["/srv", "zfs", "not counted", "95 %"]]]) {
      await page.getByRole("tab", { name: tab }).click();
      const list = page.getByRole("table", { name: table });
      for (const cell of cells) await list.getByText(cell, { exact: true }).first().waitFor();
      await accessible(page, tab.toLowerCase());
      await shoot(page, tab.toLowerCase());
    }
    await page.getByRole("tab", { name: "Processes" }).click();
    await page.getByText("12 more are not shown").waitFor();
    expect(await page.locator("table b").count() === 0, "a process's name became markup");
  });
  await check("a reboot asks for the server's name, and does what was asked once", async () => {
    await page.getByRole("button", { name: "Reboot web-1" }).click();
    const dialog = page.getByRole("dialog", { name: "Reboot a server" });
    expect(await dialog.getByRole("button", { name: "Reboot it" }).isDisabled(), "it can be pressed without the name");
    await dialog.getByLabel("Type web-1 to reboot it").fill("web-1");
    await accessible(page, "reboot");
    await dialog.getByRole("button", { name: "Reboot it" }).click();
    await page.getByText("It reboots in a moment").waitFor();
    await dialog.waitFor({ state: "detached" });
  });
  await page.context().close();
}

// The answer to the page's first question is held until the event with the reply has come. It is older
// than the event and does not know of the reply.
async function slowFirstAnswer() {
  const base = await mock({});
  const page = await open(1280);
  await page.addInitScript(() => {
    window.told = [];
    window.EventSource = class extends window.EventSource {
      constructor(...a) {
        super(...a);
        this.addEventListener("pilot.message", (e) => window.told.push(JSON.parse(e.data).message));
      }
    };
  });
  await signIn(page, base);
  let held = 0;
  await page.route(/\/pilot\/conversations\/[^/]+$/, async (r) => {
    if (r.request().method() !== "GET" || held++) return await r.continue();
    const old = await r.fetch();
    expect(!(await old.text()).includes("I propose to restart it"), "the first answer knows of the reply");
    await page.waitForFunction(() => window.told.some((m) => m.role === "pilot"));
    await r.fulfill({ response: old });
  });
  await check("a reply that comes before the page's first answer is not lost", async () => {
    await page.goto(`${base}/pilot`);
    await page.getByLabel("Message to the Pilot").fill("nginx on web-1 is down, bring it back");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => window.told.some((m) => m.role === "pilot"));
    await page.getByRole("log").getByText("I propose to restart it.").waitFor({ timeout: 5000 });
    await page.locator("article.approval.pending").waitFor({ timeout: 5000 });
    expect(held > 0, "no answer was held");
  });
  await page.context().close();
}

async function wrongPassword(base) {
  const wrong = await open(1280);
  await wrong.goto(base);
  await wrong.getByLabel("E-mail").fill(email);
  await wrong.getByRole("textbox", { name: "Password" }).fill("wrong");
  await wrong.keyboard.press("Enter");
  await check("a wrong password is said on the page", () => wrong.getByRole("alert").getByText("is wrong").waitFor());
  await wrong.context().close();
}

async function mockRun() {
  const base = await mock({});
  await wrongPassword(base);
  await emptyState(await mock({ MOCK: "empty" }), "first-use");
  await withoutMail(await mock({ MOCK: "no-mail" }));
  for (const part of [secondPerson, ai, askMode, plans, aiAccess]) await part(await mock({}));  // they deny cards that the parts below look at
  await Promise.all(looks.map(async ([width, scheme]) => pages(await mock({}), width, scheme)));
  for (const part of [approve, interrupted, log, deny, hostile, members, letters, notifications, openCommands, security, sites, disown, account, stepUp, env, secrets, slowFirstAnswer, stale]) await part(base);
}

try {
  if (mocked) await mockRun();
  else {
    const [base, ...names] = process.argv.slice(2);
    for (const name of names) {
      if (!Object.hasOwn(parts, name)) throw new Error(`no part ${name}; there are ${Object.keys(parts).join(", ")}`);
      await parts[name](base.replace(/\/$/, ""));
    }
  }
} catch (e) { stopped(e); }
await finish();
