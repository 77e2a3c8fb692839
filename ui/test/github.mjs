// Signing in with GitHub in a browser, against the stand-in of test/functional/github.py (test_sign_in.py).
import { accessible, check, expect, open, shoot, signIn } from "./kit.mjs";

const atGithub = (page, answer) => page.getByRole("link", { name: answer }).click();

export async function github(base) {
  const page = await open(1280);
  await signIn(page, base);
  await check("an account at GitHub is linked from Account security", async () => {
    await page.goto(`${base}/account`);
    await page.getByRole("button", { name: "Link GitHub" }).click();
    await atGithub(page, "Authorize");
    await page.getByRole("list", { name: "Linked accounts" }).getByText("octocat").first().waitFor();
    expect(!/code=|state=/.test(page.url()), page.url());
  });
  await page.context().close();
  const other = await open(360);
  await check("who says no at GitHub is not signed in, and told so (360 px)", async () => {
    await other.goto(`${base}/audit`);
    await other.getByRole("button", { name: "Continue with GitHub" }).click();
    await atGithub(other, "Cancel");
    await other.getByRole("alert").getByText("cancelled at the provider").waitFor();
    await accessible(other, "denied at GitHub");
  });
  await check("who says yes is signed in, and where they wanted to be", async () => {
    await other.goto(`${base}/audit`);
    await other.getByRole("button", { name: "Continue with GitHub" }).click();
    await atGithub(other, "Authorize");
    await other.getByRole("heading", { name: "Audit" }).waitFor();
    expect(other.url() === `${base}/audit`, other.url());
    await shoot(other, "signed-in-by-github");
  });
  await other.context().close();
}
