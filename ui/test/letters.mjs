// Pages that letters lead to, and where letters are asked for. A link does nothing until its button is pressed.
import { accessible, check, expect, open, shoot, signIn } from "./kit.mjs";

const token = "t".repeat(43);

export async function letters(base) {
  const page = await open(360);
  const posted = [];
  page.on("request", (r) => { if (r.method() === "POST" && r.url().includes("/api/v1/")) posted.push(new URL(r.url()).pathname); });
  await check("a forgotten password is asked for from the sign-in, and the answer says nothing of the account", async () => {
    await page.goto(base);
    await page.getByRole("link", { name: "Forgot your password?" }).click();
    await page.getByLabel("E-mail").fill("mara@example.org");
    await accessible(page, "forgotten password");
    await shoot(page, "forgot");
    await page.keyboard.press("Enter");
    await page.getByText("If mara@example.org has an account").waitFor();
    await accessible(page, "letter asked for");
  });
  await check("a reset link leaves the address bar, changes nothing by itself, and says what is wrong with a password", async () => {
    posted.length = 0;
    await page.goto(`${base}/reset#token=${token}`);
    await page.getByText("At least 15 characters").waitFor();
    expect(!page.url().includes("token"), "the token is in the address bar");
    expect(posted.every((p) => p.endsWith("/look")), `posted: ${posted}`);
    const first = page.getByRole("textbox", { name: "New password", exact: true }), again = page.getByRole("textbox", { name: "New password again" });
    await first.fill("too short"); await again.fill("too short");
    await page.keyboard.press("Enter");
    await page.getByText("at least 15 characters; four").waitFor();
    await accessible(page, "reset");
    await shoot(page, "reset");
    await first.fill("seven unlikely otters sing"); await again.fill("seven unlikely otters sing");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "The password is changed" }).waitFor();
    await accessible(page, "password was reset");
  });
  await check("another address is confirmed by who is signed in: anybody else's button changes nothing, and says so", async () => {
    posted.length = 0;
    await page.goto(`${base}/confirm-email#token=${token}`);
    await page.getByText("is the address of the account that you are signed in to").waitFor();
    await accessible(page, "confirm an address");
    expect(!posted.some((path) => path.endsWith("/email-confirmations")), "looking confirmed it");
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("alert").getByText("only from whoever is signed in to it").waitFor();
  });
  await check("whose account somebody else made is told what goes before they confirm, and that a letter follows", async () => {
    await page.goto("about:blank");  // another fragment alone would be the same page
    await page.goto(`${base}/confirm-email#token=made`);
    await page.getByText("Somebody else made this account").waitFor();
    await accessible(page, "confirm an address of an account that somebody else made");
    await shoot(page, "confirm-made");
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("heading", { name: "Confirmed" }).waitFor();
    await page.getByText("A letter with a link to choose a password is on its way there").waitFor();
  });
  await check("a sign-in is disowned by a button, and the page says what happens then", async () => {
    posted.length = 0;
    await page.goto(`${base}/not-me#token=${token}`);
    await page.getByText("Chrome on Windows").waitFor();
    await accessible(page, "not me");
    await shoot(page, "not-me");
    expect(!posted.includes("/api/v1/sign-ins/disown"), "looking disowned it");
    await page.getByRole("button", { name: "This was not me" }).click();
    await page.getByRole("heading", { name: "Your account is shut" }).waitFor();
    await accessible(page, "account is shut");
  });
  await check("a link without its token says so", async () => {
    await page.goto(`${base}/reset`);
    await page.getByText("Open the whole link").waitFor();
    await accessible(page, "no link");
  });
  await signIn(page, base);
  await check("one's address is shown, confirmed and changed under Account", async () => {
    await page.getByRole("link", { name: "Account", exact: true }).click();
    await page.getByText("not confirmed").waitFor();
    await page.getByRole("button", { name: "Send me a link" }).click();
    await page.getByText("A link is on its way to mara@example.org").waitFor();
    await page.getByLabel("New address").fill("mara@new.example.org");
    await page.getByRole("button", { name: "Change the address" }).click();
    await page.getByText("once the link that was sent there is confirmed").waitFor();
    await accessible(page, "address");
    await shoot(page, "account-address");
  });
  await page.context().close();
}

export async function withoutMail(base) {
  const page = await open(360);
  await check("without mail, a forgotten password's page says what to do", async () => {
    await page.goto(`${base}/forgot`);
    await page.getByText("This installation sends no mail").waitFor();
    await accessible(page, "no mail");
    await shoot(page, "no-mail");
  });
  await signIn(page, base);
  await check("without mail, the link of an invitation is shown once, with the word that whoever holds it can use it", async () => {
    await page.goto(`${base}/members`);
    await page.getByRole("tab", { name: "Invitations" }).click();
    await page.getByRole("button", { name: "Invite a person" }).click();
    await page.getByLabel("E-mail").fill("guest@example.org");
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await page.getByLabel("Invitation link", { exact: true }).getByText("/invitation#token=").waitFor();
    await page.getByText("whoever holds it can use it").waitFor();
    await accessible(page, "invitation link");
    await shoot(page, "invitation-link");
    await page.getByRole("button", { name: "Done" }).click();
    expect(!(await page.content()).includes("#token="), "the link is still in the page");
    await page.getByRole("button", { name: "New link for guest@example.org" }).click();
    await page.getByLabel("Invitation link", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
  });
  await page.context().close();
}
