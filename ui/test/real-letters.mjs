// The pages that letters lead to, with the letters themselves: LETTERS is a mailbox that gives the link (or the code) of the newest one
// (test/functional/test_ui_letters.py, over a real mail server). A link does nothing until its button is pressed.
import { accessible, check, email, expect, open, password, shoot, signIn, told } from "./kit.mjs";

const second = "seven unlikely otters sing", third = "thirteen bold magpies call", moved = "moved@example.org";
const firefox = { userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0" };

/** The link of the count-th letter with that subject (and these words in it), once it has come. */
async function linkOf(to, subject, count = 1, words = "") {
  const answer = await fetch(`${process.env.LETTERS}/?${new URLSearchParams({ to, subject, count, words })}`);
  if (!answer.ok) throw new Error(`no letter "${subject}" to ${to}: ${await answer.text()}`);
  return await answer.text();
}

async function choose(page, words) {
  await page.getByRole("textbox", { name: "New password", exact: true }).fill(words);
  await page.getByRole("textbox", { name: "New password again" }).fill(words);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The password is changed" }).waitFor();
}

const thrownOut = (page) => page.getByRole("heading", { name: "Sign in to CloudAIPilot" }).waitFor({ timeout: 10_000 });

async function forgotten(base) {
  const page = await open(360), there = await open(1280);
  await signIn(there, base);
  let link;
  await check("a forgotten password: the letter comes, and its link leaves the address bar and changes nothing by itself", async () => {
    await page.goto(base);
    await page.getByRole("link", { name: "Forgot your password?" }).click();
    await page.getByLabel("E-mail").fill(email);
    await page.keyboard.press("Enter");
    await page.getByText(`If ${email} has an account`).waitFor();
    link = await linkOf(email, "Choose a new password");
    await page.goto(link);
    await page.getByText(email).waitFor();
    expect(!page.url().includes("token"), page.url());
    await accessible(page, "reset by letter");
    await shoot(page, "letter-reset");
    await there.reload();
    await there.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  await check("the new password is the one that signs in; who was signed in is not, and the link is used up", async () => {
    await choose(page, second);
    await thrownOut(there);
    await signIn(page, base, { email, password: second });
    await there.goto(link);
    await there.getByRole("alert").waitFor();
    expect(await there.getByRole("textbox", { name: "New password", exact: true }).count() === 0, "a used link asks for a password");
  });
  await there.context().close();
  return page;
}

async function notMe(page, base) {
  const thief = await open(1280, "light", firefox), reader = await open(360);
  await check("a sign-in on another device comes by letter, and one button on its page shuts the account", async () => {
    await signIn(thief, base, { email, password: second });
    await reader.goto(await linkOf(email, "New sign-in to your account", 1, "Firefox on Windows"));
    await reader.getByText("Firefox on Windows").waitFor();
    await accessible(reader, "not me by letter");
    await shoot(reader, "letter-not-me");
    expect((await told(thief, "/session")).user.email === email, "looking ended a session");
    await reader.getByRole("button", { name: "This was not me" }).click();
    await reader.getByRole("heading", { name: "Your account is shut" }).waitFor();
    await Promise.all([thrownOut(thief), thrownOut(page)]);
  });
  await check("the letter that follows lets its person in again, and the old password is worth nothing", async () => {
    await reader.goto(await linkOf(email, "Choose a new password", 2));
    await choose(reader, third);
    await thief.getByLabel("E-mail").fill(email);
    await thief.getByRole("textbox", { name: "Password" }).fill(second);
    await thief.keyboard.press("Enter");
    await thief.getByRole("alert").getByText("is wrong").waitFor();
    await signIn(page, base, { email, password: third });
  });
  await Promise.all([thief, reader].map((p) => p.context().close()));
}

async function address(page, base) {
  await check("another address is the account's once its own letter is confirmed, and not before", async () => {
    await page.goto(`${base}/account`);
    await page.getByLabel("New address").fill(moved);
    await page.getByRole("button", { name: "Change the address" }).click();
    await page.getByText("once the link that was sent there is confirmed").waitFor();
    const link = await linkOf(moved, "Confirm your e-mail address"), stranger = await open(360);
    await stranger.goto(link);
    await stranger.getByRole("button", { name: "Confirm" }).click();
    await stranger.getByRole("alert").getByText("only from whoever is signed in to it").waitFor();
    await accessible(stranger, "confirm by letter, not signed in");
    await shoot(stranger, "letter-confirm-stranger");
    await stranger.context().close();
    await page.goto(link);
    await page.getByText(moved).first().waitFor();
    await accessible(page, "confirm by letter");
    await shoot(page, "letter-confirm");
    expect((await told(page, "/account")).email === email, "looking changed it");
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("heading", { name: "Confirmed" }).waitFor();
    const now = await told(page, "/account");
    expect(now.email === moved && now.email_verified_at, JSON.stringify(now));
  });
}

async function mailChannel(page, base) {
  const { host, port, user, secret } = JSON.parse(process.env.MAIL), to = "ops@example.org";
  const row = page.getByRole("list", { name: "Channels" }).getByRole("listitem").filter({ hasText: "On call" });
  const field = page.getByLabel("The code that came to On call");
  const known = async () => (await told(page, "/notifications/channels")).data.find((c) => c.name === "On call");
  await check("a mail channel is used once the code of its letter has come back, and not before", async () => {
    await page.goto(`${base}/notifications`);
    await page.getByRole("tab", { name: "Channels" }).click();
    await page.getByRole("button", { name: "Add a channel" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Kind").selectOption("email");
    for (const [label, text] of [["Name", "On call"], ["To", to], ["From", "panel@example.org"], ["Mail server", host], ["Port", String(port)], ["User", user]]) await dialog.getByRole("textbox", { name: new RegExp(`^${label}`) }).fill(text);
    await dialog.getByLabel(/password/i).fill(secret);
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await row.getByRole("button", { name: "Send the code" }).click();
    const code = await linkOf(to, "[info] Confirm this address");
    expect(/^[0-9]{6}$/.test(code) && !(await known()).verified, "it is verified already");
    await field.fill(code === "111111" ? "222222" : "111111");
    await row.getByRole("button", { name: "Confirm" }).click();
    await row.getByRole("alert").waitFor();
    await accessible(page, "a wrong code");
    await field.fill(code);
    await row.getByRole("button", { name: "Confirm" }).click();
    await field.waitFor({ state: "detached" });
    expect((await known()).verified, "the API says that it is not");
    await shoot(page, "letter-code");
  });
}

export async function realLetters(base) {
  const page = await forgotten(base);
  await notMe(page, base);
  await address(page, base);
  await mailChannel(page, base);
  await page.context().close();
}

/** Where no letter arrives (its mail server is away). */
export async function deadLetters(base) {
  const page = await open(360);
  await signIn(page, base);
  await check("letters that could not be sent stand in the delivery log: to whom and why, never what was in them", async () => {
    await page.goto(`${base}/notifications`);
    await page.getByRole("tab", { name: "Delivery log" }).click();
    const dead = page.getByRole("list", { name: "Dead letters" });
    await dead.getByText("new@example.org").waitFor();
    await dead.getByText("Invitation").first().waitFor();
    const all = (await told(page, "/notifications/dead-letters")).data;
    expect(await dead.getByRole("listitem").count() === all.length && all.length > 0, `${all.length} by the API`);
    expect(!/token=|https:/.test(await page.content().then((html) => html.slice(html.indexOf("Dead letters")))), "a link stands there");
    await accessible(page, "dead letters, really");
    await shoot(page, "dead-letters-real");
  });
  await page.context().close();
}
