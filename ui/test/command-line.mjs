// The page that `caip login --browser` waits for: PAGE is the address that it showed (test_caip_browser.py).
import { accessible, check, email, expect, open, password, shoot } from "./kit.mjs";

async function signedInThere() {
  const page = await open(360);
  await page.goto(process.env.PAGE);
  await check("who is not signed in signs in first, and then finds what they came for", async () => {
    expect(new URL(page.url()).hash === "", "the challenge stays in the address bar");
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("textbox", { name: "Password" }).fill(password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Let the command line in?" }).waitFor();
    await page.locator("main").getByText(email).waitFor();
  });
  return page;
}

export async function letIn() {
  const page = await signedInThere();
  await check("the page is accessible", () => accessible(page, "command line"));
  await shoot(page, "command-line");
  await check("a yes takes the code to this computer, and the program says that it has it", async () => {
    await page.getByRole("button", { name: "Let it in" }).click();
    await page.getByText("caip has what it needs").waitFor();
    expect(new URL(page.url()).hostname === "127.0.0.1", page.url());
  });
  await page.context().close();
}

export async function denied() {
  const page = await signedInThere();
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
