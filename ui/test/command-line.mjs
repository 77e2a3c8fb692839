// The page that `caip login --browser` waits for: PAGE is the address that it showed (test_caip_browser.py).
import { accessible, authenticator, check, email, expect, open, password, shoot, signIn } from "./kit.mjs";
import { atProvider, openBesideProvider } from "./real.mjs";

async function byPassword(page) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.keyboard.press("Enter");
}

async function byProvider(page) {
  await page.getByRole("button", { name: "Continue with Acme" }).click();
  await atProvider(page, "mara");
}

const byPasskey = (page) => page.getByRole("button", { name: "Use a passkey" }).click();

async function signedInThere(page, how = byPassword) {
  await page.goto(process.env.PAGE);
  await check("who is not signed in signs in first, and then finds what they came for", async () => {
    expect(new URL(page.url()).hash === "", "the challenge stays in the address bar");
    await how(page);
    await page.getByRole("heading", { name: "Let the command line in?" }).waitFor();
    await page.locator("main").getByText(email).waitFor();
    expect(new URL(page.url()).pathname === "/command-line", page.url());
  });
  return page;
}

async function yes(page) {
  await check("a yes takes the code to this computer, and the program says that it has it", async () => {
    await page.getByRole("button", { name: "Let it in" }).click();
    await page.getByText("caip has what it needs").waitFor();
    expect(new URL(page.url()).hostname === "127.0.0.1", page.url());
  });
  await page.context().close();
}

export async function letIn() {
  const page = await signedInThere(await open(360));
  await check("the page is accessible", () => accessible(page, "command line"));
  await shoot(page, "command-line");
  await yes(page);
}

// The password alone would not do: the passkey is this person's second factor, too.
export async function letInByPasskey(base) {
  const page = await open(360);
  await authenticator(page);
  await signIn(page, base);
  await check("a passkey is made, and its person signs out", async () => {
    await page.goto(`${base}/account`);
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("laptop");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "I have kept them" }).click();
    const left = page.waitForEvent("load");  // signing out loads the page anew
    await page.getByRole("button", { name: "Sign out" }).click();
    await left;
    await page.getByLabel("E-mail").waitFor();
  });
  await yes(await signedInThere(page, byPasskey));
}

// Twice there and back: what the provider remembers signs in, and lets no program in.
export async function letInByProvider() {
  const page = await signedInThere(await openBesideProvider(360), byProvider);
  await check("who came by a provider signs in anew there first, and the program is still waited for", async () => {
    await page.getByRole("button", { name: "Let it in" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Acme" }).click();
    await page.getByPlaceholder("Enter any login").fill("mara");
    await page.getByPlaceholder("and password").fill("any");
    await page.getByRole("button", { name: "Sign-in" }).click();
    await page.getByRole("heading", { name: "It is you" }).waitFor();
    await page.getByRole("button", { name: "Go back" }).click();
    await page.getByRole("heading", { name: "Let the command line in?" }).waitFor();
  });
  await yes(page);
}

async function there(page, heading) {
  await page.goto(process.env.PAGE);
  await byPassword(page);
  await page.getByRole("heading", { name: heading }).waitFor();
  await page.getByText("Only if your terminal shows").waitFor();
  expect(new URL(page.url()).hash === "", "the challenge stays in the address bar");
}

export async function addPasskeyFirst() {
  const page = await open(360);
  await authenticator(page);
  await check("a passkey that the command line asked for is added, and only then may it be let in", async () => {
    await there(page, "Add a passkey");
    expect(await page.getByRole("button", { name: "Let it in" }).count() === 0, "it can be let in before");
    await accessible(page, "command line, passkey");
    await shoot(page, "command-line-passkey");
    await page.getByRole("textbox", { name: "Name" }).fill("laptop");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "I have kept them" }).click();
    await page.getByText("The passkey is added.").waitFor();
    await page.reload();
    await page.getByText("The passkey is added.").waitFor();  // another one is not asked for
  });
  await yes(page);
}

export async function linkFirst() {
  const page = await openBesideProvider(360);
  await check("an account that the command line asked for is linked there and back, and only then may it be let in", async () => {
    await there(page, "Link an account at another service");
    expect(await page.getByRole("button", { name: "Let it in" }).count() === 0, "it can be let in before");
    await accessible(page, "command line, link");
    await shoot(page, "command-line-link");
    await page.getByRole("button", { name: "Link Acme" }).click();
    await atProvider(page, "mara");
    await page.getByText("The account is linked.").waitFor();
  });
  await yes(page);
}

export async function denied() {
  const page = await open(360);
  await page.goto(process.env.PAGE);
  await byPassword(page);
  await page.getByText("Only if your terminal shows").waitFor();
  await check("a no is brought there, too", async () => {
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByText("Nothing was allowed").waitFor();
  });
  await check("the same page has nothing to allow any more", async () => {
    await page.goto(new URL("/command-line", process.env.PAGE).href);
    await page.getByText("Nothing waits for you here").waitFor();
    expect(await page.getByRole("button", { name: "Let it in" }).count() === 0, "it can be allowed");
  });
  await page.context().close();
}
