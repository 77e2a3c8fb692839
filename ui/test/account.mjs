// Account security of one person against a real control plane: what is shown is asked back from the API, and what
// ends is seen to end in the person's other browser.
import { request } from "playwright-core";
import { accessible, authenticator, check, email, expect, open, password, shoot, signIn, told } from "./kit.mjs";

const me = { email, password };
const changed = { email, password: "eleven quiet badgers dig" };
const again = { email, password: "thirteen bold magpies call" };
const firefox = { userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0" };

const part = (page, name) => page.getByRole("region", { name });
const rows = (page, list) => page.getByRole("list", { name: list }).getByRole("listitem");
const sessions = async (page) => (await told(page, "/sessions")).data;
const thrownOut = (page) => page.getByRole("heading", { name: "Sign in to CloudAIPilot" }).waitFor({ timeout: 10_000 });
async function account(page, base) {
  await page.goto(`${base}/account`);
  await rows(page, "Your sessions").first().waitFor();
}

async function enters(base) {
  const page = await open(360);
  await page.goto(base);
  const field = page.getByRole("textbox", { name: "Password" });
  await check("a password is pasted, hidden, and shown when asked", async () => {
    await page.getByLabel("E-mail").fill(password);  // somewhere to copy it from
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Control+c");
    await field.focus();
    await page.keyboard.press("Control+v");
    expect(await field.inputValue() === password && await field.getAttribute("type") === "password", "it is not there, or not hidden");
    await page.getByRole("button", { name: "Show password" }).click();
    expect(await field.getAttribute("type") === "text", "it is not shown");
  });
  await check("a wrong password is refused in words that tell nothing of the account", async () => {
    await page.getByLabel("E-mail").fill(email);
    await field.fill("not the password of this account");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("is wrong").waitFor();
  });
  await signIn(page, base, me);
  return page;
}

async function places(page, base) {
  const other = await open(1280, "light", firefox);
  await check("the sessions are those of the API, with device, address and place; this one is marked", async () => {
    await signIn(other, base, me);
    await account(page, base);
    const all = await sessions(page);
    expect(all.length === await rows(page, "Your sessions").count() && all.length === 2, `${all.length} sessions`);
    for (const s of all) await rows(page, "Your sessions").filter({ hasText: s.device }).filter({ hasText: s.address }).getByText(s.current ? "this one" : "signed in").first().waitFor();
    await rows(page, "Your sessions").filter({ hasText: "Firefox on Windows" }).waitFor();
    await accessible(page, "account");
    await shoot(page, "account-real");
  });
  await check("a session that is ended here is over there, at once", async () => {
    await page.getByRole("button", { name: /^End the session of Firefox on Windows/ }).click();
    await page.getByText("Nowhere else.").waitFor();
    expect((await sessions(page)).length === 1, "the API has it still");
    await thrownOut(other);
  });
  await check("that browser is still a known device, until it is forgotten: then its next sign-in is told", async () => {
    const known = async () => (await told(page, "/devices")).data;
    const list = rows(page, "Your devices").filter({ hasText: "Firefox on Windows" });
    await account(page, base);
    await list.getByText("not signed in").waitFor();
    const before = (await known()).length;
    await list.getByRole("button", { name: /^Forget Firefox on Windows/ }).click();
    await page.getByRole("button", { name: "Forget it" }).click();
    await list.waitFor({ state: "detached" });
    expect((await known()).length === before - 1, "the API has it still");
    await signIn(other, base, me);
    expect((await told(page, "/notifications/inbox")).data[0].event === "account.new_sign_in", "nobody was told");
    await account(page, base);
    await page.getByRole("button", { name: /^End the session of Firefox on Windows/ }).click();
    await thrownOut(other);
  });
  return other;
}

async function past(page) {
  await check("the history is that of the API, in words, with what was refused", async () => {
    const known = (await told(page, "/account/history")).data;
    const list = rows(page, "What happened to your account");
    await list.filter({ hasText: "wrong" }).getByText("refused", { exact: true }).waitFor();
    await page.waitForFunction((n) => document.querySelectorAll("[aria-label='What happened to your account'] li").length === n, known.length);
    const shown = await list.locator("b").allInnerTexts();
    expect(!shown.some((w) => /^[a-z_]+\.[a-z_]+$/.test(w)), `in no words: ${shown}`);
  });
}

async function passkeys(page, base) {
  await authenticator(page);
  const held = async () => (await told(page, "/account/factors")).passkeys.map((k) => k.name).join();
  await check("a passkey is added, called something else and removed, and the API has each", async () => {
    await account(page, base);
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("laptop");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "I have kept them" }).click();
    expect(await held() === "laptop" && (await told(page, "/account/factors")).recovery_codes === 10, await held());
    await page.getByRole("button", { name: "Rename laptop" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("blue key");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Remove blue key" }).waitFor();
    expect(await held() === "blue key", await held());
    await page.getByRole("button", { name: "Remove blue key" }).click();
    await page.getByRole("button", { name: "Remove it" }).click();
    await page.getByText("None is set up").waitFor();
    expect(await held() === "", await held());
  });
}

async function tokens(page, base) {
  const row = rows(page, "API tokens").filter({ hasText: "deploy" });
  let program;
  await check("an API token does what it was made for and no more, and its last use is shown", async () => {
    await page.goto(`${base}/members/tokens`);
    await page.getByText("No tokens.").waitFor();
    await page.getByRole("button", { name: "Make a token" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("deploy");
    await page.getByLabel("Valid for").selectOption("7");
    await page.getByRole("button", { name: "Make it" }).click();
    const token = await page.getByLabel("API token", { exact: true }).innerText();
    await page.getByRole("button", { name: "Done" }).click();
    expect(!(await page.content()).includes(token), "the token is still in the page");
    await row.getByText("used never").waitFor();
    program = await request.newContext({ baseURL: base, ignoreHTTPSErrors: true, extraHTTPHeaders: { Authorization: `Bearer ${token}` } });
    expect((await program.get("/api/v1/servers")).status() === 200, "it does not see servers");
    expect((await program.get("/api/v1/members")).status() === 403, "it sees the team");
    await page.reload();
    await row.getByText("used just now").waitFor();
    const made = (await told(page, "/tokens")).data[0];
    expect(made.name === "deploy" && made.scopes.join() === "server.view" && made.last_used_at, JSON.stringify(made));
    await accessible(page, "tokens");
    await shoot(page, "tokens-real");
  });
  await check("a revoked token is of no use from then on", async () => {
    await page.getByRole("button", { name: "Revoke deploy" }).click();
    await row.waitFor({ state: "detached" });
    expect((await program.get("/api/v1/servers")).status() === 401, "it is still let in");
    await program.dispose();
  });
}

async function anotherPassword(page, other, base) {
  await check("a changed password ends the other sessions, and is the one that signs in", async () => {
    await signIn(other, base, me);
    await account(page, base);
    await page.getByRole("textbox", { name: "New password", exact: true }).fill(changed.password);
    await page.getByRole("textbox", { name: "New password again" }).fill(changed.password);
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText("The password was changed.").waitFor();
    await thrownOut(other);
    await signIn(other, base, changed);
  });
}

async function notMe(page, other, base) {
  await check("a new device is told of under the bell; disowned there, everything ends and the new password counts", async () => {
    await page.getByRole("link", { name: /^Notifications, \d+ unread/ }).click();
    const notice = rows(page, "Notices").filter({ hasText: "Firefox" }).first();
    await notice.waitFor();
    const known = (await told(page, "/notifications/inbox")).data.filter((n) => n.event === "account.new_sign_in");
    expect(known.length > 0 && known.every((n) => n.personal), JSON.stringify(known));
    await accessible(page, "notices");
    await shoot(page, "notices-real");
    await page.getByRole("button", { name: /^This was not me/ }).first().click();
    const dialog = page.getByRole("dialog", { name: "This was not me" });
    await dialog.getByRole("textbox", { name: "New password", exact: true }).fill(again.password);
    await dialog.getByRole("textbox", { name: "New password again" }).fill(again.password);
    await dialog.getByRole("button", { name: "End everything and sign me out" }).click();
    await thrownOut(page);
    await thrownOut(other);
    await signIn(page, base, again);
    expect((await sessions(page)).length === 1, "there is another session");
  });
}

export async function accountSecurity(base) {
  const page = await enters(base);
  const other = await places(page, base);
  await past(page);
  await passkeys(page, base);
  await tokens(page, base);
  await anotherPassword(page, other, base);
  await notMe(page, other, base);
  await other.context().close();
  await page.context().close();
}
