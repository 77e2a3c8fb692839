// Sites, by keyboard where it counts: make one, what is refused, change, delete with the name typed, restore.
import { accessible, check, expect, open, shoot, signIn } from "./kit.mjs";

export async function sites(base) {
  const page = await open(360);
  await signIn(page, base);
  await page.goto(`${base}/sites`);
  const rows = page.getByRole("list", { name: "Sites" }).getByRole("listitem");
  await check("sites are listed with state, domains and server", async () => {
    await rows.filter({ hasText: "shop.example, www.shop.example" }).getByText("live").waitFor();
    await rows.filter({ hasText: "old.example" }).getByText("gone for good on").waitFor();
    await rows.filter({ hasText: "late.example" }).getByText("state not known").waitFor();
    await accessible(page, "sites");
    await shoot(page, "sites");
  });
  await check("by keyboard: a site is made, and a domain of another script is asked for in its written form", async () => {
    await page.getByRole("button", { name: "Make a site" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Name" }).fill("new");
    await page.getByRole("textbox", { name: "Domains" }).fill("bücher.example\nnew.example");
    await accessible(page, "make a site");
    await shoot(page, "site-create");
    await page.getByRole("button", { name: "Make it" }).focus();
    await page.keyboard.press("Enter");
    await rows.filter({ hasText: "xn--bcher-kva.example, new.example" }).getByText("live").waitFor();
  });
  await check("what nginx refuses is said in the dialog, and there is no such site", async () => {
    await page.getByRole("button", { name: "Make a site" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("bad");
    await page.getByRole("textbox", { name: "Domains" }).fill("refused.example");
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByRole("dialog").getByText("nginx does not take its configuration").waitFor();
    expect(!(await page.getByRole("dialog").innerText()).includes("\u202e"), "a hidden character is shown as itself");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect((await rows.filter({ hasText: "refused.example" }).count()) === 0, "a site that was refused is listed");
  });
  await rows.filter({ hasText: "app.example" }).getByRole("link").click();
  await check("a site says what it is, and its server what it has", async () => {
    await page.getByText("proxy of port 3000").waitFor();
    await page.getByRole("button", { name: "Ask the server" }).click();
    const said = page.getByRole("region", { name: "What the server says" });
    await said.getByText("Nothing listens on the port.").waitFor();
    await said.getByText("nginx does not serve: xn--bcher-kva.example").waitFor();
    await accessible(page, "site");
    await shoot(page, "site");
  });
  await check("its domains are changed", async () => {
    await page.getByRole("button", { name: "Change", exact: true }).click();
    await page.getByRole("textbox", { name: "Domains" }).fill("app.example\nwww.app.example");
    await page.getByLabel("Further domains lead to the first").check();
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.getByText("www.app.example (leads to the first)").waitFor();
  });
  await check("by keyboard: deleting says what goes, what stays and when it ends, and takes the name", async () => {
    await page.getByRole("button", { name: "Delete", exact: true }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByText("At once: nginx serves app.example, www.app.example no more").waitFor();
    await dialog.getByText("What listens on port 3000 is not touched").waitFor();
    await accessible(page, "delete a site");
    await shoot(page, "site-delete");
    const button = dialog.getByRole("button", { name: "Delete it" });
    await dialog.getByLabel("Type app to delete it").fill("ap");
    expect(await button.isDisabled(), "open with half the name");
    await dialog.getByLabel("Type app to delete it").fill("app");
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByText("Gone for good").waitFor();
    await page.getByText("deleted", { exact: true }).waitFor();
  });
  await check("by keyboard: restored with one press", async () => {
    await page.getByRole("button", { name: "Restore" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("live", { exact: true }).waitFor();
  });
  await page.context().close();
}
