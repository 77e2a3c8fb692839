// What holds for every page, made-up data or real: first use, and each page at two widths, light and dark.
import { accessible, check, email, expect, open, password, shoot, signIn } from "./kit.mjs";
import { walk } from "./keys.mjs";

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
  const out = [];  // pages without a sign-out
  // Whole, in colours that can be read, and on a narrow screen each control met by Tab.
  const look = async (name, shot) => {
    await check(`${name} (${as})`, async () => {
      await accessible(page, name);
      if (width < 500) await walk(page);
    });
    if (!(await page.getByRole("button", { name: "Sign out" }).isVisible())) out.push(name);
    await shoot(page, `${shot ?? name}-${width}-${scheme}`);
  };
  await page.goto(base);
  await page.getByLabel("E-mail").waitFor();
  await look("sign-in");
  await signIn(page, base);
  await page.locator("article").first().waitFor();
  await look("servers");
  await page.locator("article a").first().click();
  await page.locator(".chart canvas").first().waitFor();
  await look("metrics");
  await page.getByRole("tab", { name: "Services" }).click();
  await page.getByRole("list", { name: "Services" }).getByRole("listitem").first().waitFor();
  await look("services");
  await page.getByRole("tab", { name: "Journal" }).click();
  await page.getByRole("textbox", { name: "Unit" }).fill("nginx.service");
  await page.keyboard.press("Escape");  // the list of units
  await page.getByRole("button", { name: "Read" }).click();
  await page.getByLabel("Journal lines").waitFor();
  await look("journal");
  await page.getByRole("tab", { name: "Ports" }).click();  // Processes and Disks are the same part
  await page.getByRole("table", { name: "ports" }).getByRole("row").nth(1).waitFor();
  await look("ports");
  await page.getByRole("tab", { name: "Access" }).click();
  await page.getByRole("list", { name: "Who can do what" }).getByText(email).waitFor();
  await look("access");
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Account" }).click();
  await page.getByRole("heading", { name: "Second factor" }).waitFor();
  await look("account");
  for (const [name, link] of [["sites", "Sites"], ["pilot", "Pilot"], ["approvals", "Approvals"], ["secrets", "Secrets"], ["team", "Team"], ["audit", "Audit"]]) {
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: link }).click();
    await page.waitForTimeout(500);
    await look(name);
  }
  await page.getByRole("link", { name: /^Notifications/ }).click();
  for (const tab of ["For you", "Channels", "Delivery log"]) {
    await page.getByRole("tab", { name: tab }).click();
    await page.waitForTimeout(300);
    await look(`notifications, ${tab}`, `notifications-${tab.split(" ")[0].toLowerCase()}`);
  }
  await check("signing out is in sight on each page", async () => expect(out.join() === "sign-in", `not on ${out}`));
  await page.context().close();
}

export const looks = [[1280, "light"], [360, "light"], [1280, "dark"], [360, "dark"]];
