// Team and roles against a real control plane: what a page says is asked back from the API, and what it does to
// somebody is seen on the page that this person has open.
import { readFileSync } from "node:fs";
import { accessible, check, email, expect, open, password, shoot, signIn, told } from "./kit.mjs";

const nina = { email: "nina@example.org", password: "seven unlikely otters sing" };
const otto = { email: "otto@example.org", password: "nine patient herons wade" };
const owner = { email, password };

const rowOf = (page, list, who) => page.getByRole("list", { name: list }).getByRole("listitem").filter({ hasText: who.email });
const member = async (page, who) => (await told(page, "/members")).data.find((m) => m.email === who.email);
const invitation = async (page, who) => (await told(page, "/invitations")).data.find((i) => i.email === who.email);
const dialog = (page) => page.getByRole("dialog");
async function tab(page, base, name) {
  await page.goto(`${base}/members`);
  await page.getByRole("tab", { name }).click();
}

/** Invites, and gives the link that is shown, once. */
async function invite(page, who, role, days) {
  await page.getByRole("button", { name: "Invite a person" }).click();
  await dialog(page).getByLabel("E-mail").fill(who.email);
  await dialog(page).getByLabel("Role").selectOption(role);
  await dialog(page).getByLabel("Valid for").selectOption(days);
  await dialog(page).getByRole("button", { name: "Invite", exact: true }).click();
  return await shownLink(page, () => dialog(page).getByRole("button", { name: "Done" }).click());
}
async function shownLink(page, leave) {
  const shown = dialog(page).getByLabel("Invitation link", { exact: true });
  await shown.waitFor();
  const link = await shown.innerText();
  await accessible(page, "invitation link");
  await leave();
  await shown.waitFor({ state: "detached" });
  expect(!(await page.content()).includes(link.split("#")[1]), "the link is still in the page");
  return link;
}
async function looksWorthless(link) {
  const page = await open(360);
  await page.goto(link);
  await page.getByRole("alert").getByText("this invitation was used, revoked or has expired").waitFor();
  await page.getByText("Whoever invited you can give you another link").waitFor();
  await accessible(page, "a link that is worth nothing");
  await shoot(page, "invitation-worthless");
  await page.context().close();
}

async function invitations(page, base) {
  let old, link;
  await check("an invitation is made with the role and the end that were chosen, and its link shown once", async () => {
    await tab(page, base, "Invitations");
    await page.getByText("Nobody was invited yet").waitFor();
    old = await invite(page, nina, "member", "1");
    const made = await invitation(page, nina);
    const hours = (Date.parse(made.expires_at) - Date.parse(made.created_at)) / 3.6e6;
    expect(made.role === "member" && made.state === "open" && Math.abs(hours - 24) < 0.1, JSON.stringify(made));
    await rowOf(page, "Invitations", nina).getByText("as member").waitFor();
  });
  await check("a new link is made, and the one of before is worth nothing", async () => {
    await page.getByRole("button", { name: `New link for ${nina.email}` }).click();
    link = await shownLink(page, () => page.keyboard.press("Escape"));
    expect(link !== old, "it is the same link");
    await looksWorthless(old);
  });
  await check("an invitation is revoked: the list, the API and its link say so", async () => {
    const gone = await invite(page, otto, "viewer", "7");
    await page.getByRole("button", { name: `Revoke the invitation of ${otto.email}` }).click();
    await rowOf(page, "Invitations", otto).getByText("revoked").waitFor();
    expect((await invitation(page, otto)).state === "revoked", "the API does not say so");
    await looksWorthless(gone);
    await shoot(page, "invitations-real");
  });
  return link;
}

async function joins(page, base, link) {
  const guest = await open(360);
  await check("who is invited reads what it is about, gives a password and is in, as what was offered", async () => {
    await guest.goto(link);
    await guest.getByText("The invitation is for this address alone").waitFor();
    await accessible(guest, "an invitation");
    await shoot(guest, "invitation-real");
    await guest.getByRole("textbox", { name: "Password" }).fill("too short");
    await guest.keyboard.press("Enter");
    await guest.getByRole("alert").getByText("at least 15 characters").waitFor();
    await guest.getByRole("textbox", { name: "Password" }).fill(nina.password);
    await guest.keyboard.press("Enter");
    await guest.getByRole("heading", { name: "Servers", exact: true }).waitFor();
    const session = await told(guest, "/session");
    expect(session.role === "member" && session.user.email === nina.email, JSON.stringify(session));
  });
  await check("the Owner's pages show the new member, and that the invitation was accepted", async () => {
    await tab(page, base, "Invitations");
    await rowOf(page, "Invitations", nina).getByText("accepted").waitFor();
    await page.getByRole("tab", { name: "Members" }).click();
    await rowOf(page, "Members", nina).getByLabel(`Role of ${nina.email}`).waitFor();
    expect((await member(page, nina)).role === "member", "the API says something else");
  });
  return guest;
}

const thrownOut = (page) => page.getByRole("heading", { name: "Sign in to CloudAIPilot" }).waitFor({ timeout: 10_000 });

async function changes(page, guest, base) {
  await check("another role: the API has it, and it counts for the person at once", async () => {
    await page.getByLabel(`Role of ${nina.email}`).selectOption("admin");
    await rowOf(page, "Members", nina).getByRole("button", { name: "Change" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll("button")].find((b) => b.textContent === "Change")?.disabled);
    expect((await member(page, nina)).role === "admin", "the API says something else");
    await thrownOut(guest);
    await signIn(guest, base, nina);
    expect((await told(guest, "/session")).role === "admin", "it does not count");
  });
  await check("a disabled member is out at once and let in no more; enabled again, they are", async () => {
    await page.getByRole("button", { name: `Disable ${nina.email}` }).click();
    await page.getByRole("button", { name: "Disable now" }).click();
    await rowOf(page, "Members", nina).getByText("disabled", { exact: true }).waitFor();
    expect((await member(page, nina)).disabled_at, "the API does not say so");
    await thrownOut(guest);
    await guest.getByLabel("E-mail").fill(nina.email);
    await guest.getByRole("textbox", { name: "Password" }).fill(nina.password);
    await guest.keyboard.press("Enter");
    await guest.getByRole("alert").waitFor();
    await shoot(guest, "disabled-signs-in");
    await page.getByRole("button", { name: `Enable ${nina.email}` }).click();
    await page.getByRole("button", { name: "Enable now" }).click();
    await page.getByRole("button", { name: `Disable ${nina.email}` }).waitFor();
    expect((await member(page, nina)).disabled_at === null, "the API does not say so");
    await signIn(guest, base, nina);
  });
}

async function removal(page, guest, base) {
  await check("who is removed is out at once, and what they still hold is listed", async () => {
    await guest.goto(`${base}/secrets`);
    await guest.getByRole("button", { name: "Add a secret" }).click();
    await guest.getByLabel("Name").fill("DEPLOY_KEY");
    await guest.getByRole("textbox", { name: "Value" }).fill("known to nina");
    await guest.getByRole("button", { name: "Store" }).click();
    await guest.getByText("DEPLOY_KEY").first().waitFor();
    await guest.goto(`${base}/servers`);
    await guest.getByRole("button", { name: "Add a server" }).click();
    await guest.getByLabel("Name").fill("db-1");
    await guest.keyboard.press("Enter");
    await guest.getByLabel("Install command", { exact: true }).waitFor();
    await page.getByRole("button", { name: `Remove ${nina.email}` }).click();
    await dialog(page).getByRole("button", { name: "Remove", exact: true }).click();
    for (const held of ["DEPLOY_KEY", "db-1"]) await dialog(page).getByText(held).waitFor();
    await accessible(page, "what a removed member still holds");
    await shoot(page, "removed-holds");
    await dialog(page).getByRole("button", { name: "Done" }).click();
    await rowOf(page, "Members", nina).waitFor({ state: "detached" });
    expect((await member(page, nina)) === undefined, "the API still has them");
    await thrownOut(guest);
  });
}

// Away and back: the other parts find the Owner that they know.
async function handsOver(page, from, to) {
  await page.getByRole("button", { name: `Hand over to ${to.email}` }).click();
  const sure = dialog(page).getByRole("button", { name: "Hand over", exact: true });
  await dialog(page).getByLabel("Type their e-mail").fill(from.email);
  expect(await sure.isDisabled(), "another address is enough");
  await dialog(page).getByLabel("Type their e-mail").fill(to.email);
  await accessible(page, "hand over");
  await shoot(page, "hand-over");
  await sure.click();
  await thrownOut(page);
}
async function transfer(page, base) {
  await check("the ownership is handed over and back, and each is what the page says", async () => {
    await page.getByRole("button", { name: "Add a member" }).click();
    await dialog(page).getByLabel("E-mail").fill(otto.email);
    await dialog(page).getByLabel("Role").selectOption("admin");
    await dialog(page).getByRole("textbox", { name: "First password" }).fill(otto.password);
    await dialog(page).getByRole("button", { name: "Add", exact: true }).click();
    await handsOver(page, owner, otto);
    await signIn(page, base, owner);
    expect((await told(page, "/session")).role === "admin" && (await member(page, otto)).role === "owner", "not handed over");
    const back = await open(360);
    await signIn(back, base, otto);
    await tab(back, base, "Members");
    await handsOver(back, otto, owner);
    await back.context().close();
    await thrownOut(page);
    await signIn(page, base, owner);
    expect((await told(page, "/session")).role === "owner" && (await member(page, otto)).role === "admin", "not given back");
  });
}

async function limits(page, base) {
  await check("the Owner shortens the sessions of everybody, and the API says so", async () => {
    await page.goto(`${base}/account`);
    await page.getByLabel("In any case, hours").fill("100");
    await page.getByRole("button", { name: "Set the limits" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll("button")].find((b) => b.textContent === "Set the limits")?.disabled);
    expect((await told(page, "/organization/session-limits")).lifetime_minutes === 6000, "the API says something else");
  });
}

export async function team(base) {
  const page = await open(360);
  await signIn(page, base);
  const link = await invitations(page, base);
  const guest = await joins(page, base, link);
  await changes(page, guest, base);
  await removal(page, guest, base);
  await transfer(page, base);
  await limits(page, base);
  await guest.context().close();
  await page.context().close();
}

const yes = (v) => (v ? "yes" : "no");

export async function roles(base) {
  const page = await open(1280);
  await signIn(page, base);
  await tab(page, base, "Roles");
  await page.getByRole("link", { name: "Download as CSV" }).waitFor();
  const known = (await told(page, "/roles")).data;
  const rows = known.map((r) => [r.permission, ...["owner", "admin", "member", "viewer"].map((role) => yes(r.roles.includes(role))), yes(r.token), yes(r.pilot)].join());
  await check("the matrix on the page is the server's, cell by cell", async () => {
    const shown = await page.locator("table tbody tr").evaluateAll((all) => all.map((r) => [r.querySelector("code").textContent, ...[...r.querySelectorAll("td")].map((d) => d.textContent.replace("–", "no"))].join()));
    expect(shown.length > 40 && shown.sort().join("\n") === [...rows].sort().join("\n"), `shown ${shown.length}, known ${rows.length}`);
    await accessible(page, "roles");
    await shoot(page, "roles-real");
  });
  await check("its CSV has the same rows", async () => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download as CSV" }).click()]);
    expect(file.suggestedFilename() === "roles.csv", file.suggestedFilename());
    const lines = readFileSync(await file.path(), "utf8").trim().split(/\r?\n/).slice(1).map((l) => l.split(",").slice(1, 8).map((c) => c.replaceAll('"', "")).join());
    expect(lines.sort().join("\n") === [...rows].sort().join("\n"), lines.slice(0, 3).join("\n"));
  });
  await page.context().close();
}
