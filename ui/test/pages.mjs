// What holds for every page, made-up data or real: first use, and each page at two widths, light and dark.
import { accessible, check, email, expect, open, password, shoot, signIn } from "./kit.mjs";

/** The one-time link: the Owner is created in the browser and signed in. */
async function firstUse(base, token) {
  const page = await open(1280);
  await page.goto(`${base}/setup#token=${token}`);
  await page.getByLabel("E-mail").waitFor();
  await check("set-up takes the token out of the address", async () => expect(!page.url().includes("token"), page.url()));
  await check("set-up page is accessible", () => accessible(page, "setup"));
  await shoot(page, "setup");
  await check("the Owner is created and signed in", async () => {
    await page.getByLabel("E-mail").fill(email);
    await page.getByRole("textbox", { name: "Password", exact: true }).fill(password);
    await page.getByRole("textbox", { name: "Password again" }).fill(password);
    await page.getByLabel("Organisation").fill("Example");
    await page.getByRole("button", { name: "Create the Owner" }).click();
    await page.getByRole("heading", { name: "Servers", exact: true }).waitFor();
  });
  return page;
}

export async function emptyState(base, token) {
  const page = await firstUse(base, token);
  await check("no servers: the next step is offered, and the command shown", async () => {
    await page.getByText("No servers yet").waitFor();
    await shoot(page, "empty");
    await page.getByRole("button", { name: "Add a server" }).click();
    await page.getByLabel("Name").fill("web-1");
    await page.keyboard.press("Enter");
    await page.getByLabel("Install command").getByText("openssl").waitFor();
    await accessible(page, "install command");
    await shoot(page, "install-command");
    await page.keyboard.press("Escape");
  });
  await page.context().close();
}

export async function pages(base, width, scheme) {
  const as = `${width} px ${scheme}`;
  const page = await open(width, scheme);
  await page.goto(base);
  await page.getByLabel("E-mail").waitFor();
  await check(`sign-in (${as})`, () => accessible(page, "sign-in"));
  await shoot(page, `sign-in-${width}-${scheme}`);
  await signIn(page, base);
  await page.locator("article").first().waitFor();
  await check(`servers (${as})`, () => accessible(page, "servers"));
  await shoot(page, `servers-${width}-${scheme}`);
  await page.locator("article a").first().click();
  await page.locator(".chart canvas").first().waitFor();
  await check(`metrics (${as})`, () => accessible(page, "metrics"));
  await shoot(page, `metrics-${width}-${scheme}`);
  await page.getByRole("tab", { name: "Services" }).click();
  await page.getByRole("list", { name: "Services" }).getByRole("listitem").first().waitFor();
  await check(`services (${as})`, () => accessible(page, "services"));
  await shoot(page, `services-${width}-${scheme}`);
  await page.getByRole("tab", { name: "Journal" }).click();
  await page.getByRole("textbox", { name: "Unit" }).fill("nginx.service");
  await page.keyboard.press("Escape");  // the list of units
  await page.getByRole("button", { name: "Read" }).click();
  await page.getByLabel("Journal lines").waitFor();
  await check(`journal (${as})`, () => accessible(page, "journal"));
  await shoot(page, `journal-${width}-${scheme}`);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "Second factor" }).waitFor();
  await check(`account (${as})`, () => accessible(page, "account"));
  await shoot(page, `account-${width}-${scheme}`);
  for (const [name, link] of [["pilot", "Pilot"], ["approvals", "Approvals"], ["secrets", "Secrets"], ["team", "Team"], ["audit", "Audit"]]) {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: link }).click();
    await page.waitForTimeout(500);
    await check(`${name} (${as})`, () => accessible(page, name));
    await shoot(page, `${name}-${width}-${scheme}`);
  }
  await page.getByRole("link", { name: /^Notifications/ }).click();
  for (const tab of ["For you", "Channels", "Delivery log"]) {
    await page.getByRole("tab", { name: tab }).click();
    await page.waitForTimeout(300);
    await check(`notifications, ${tab} (${as})`, () => accessible(page, tab));
    await shoot(page, `notifications-${tab.split(" ")[0].toLowerCase()}-${width}-${scheme}`);
  }
  await page.context().close();
}

export const looks = [[1280, "light"], [360, "light"], [1280, "dark"], [360, "dark"]];
