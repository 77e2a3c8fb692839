// Notifications: the bell, channels with their test, code, routing and credential, the delivery log.
import { accessible, check, expect, open, shoot, signIn } from "./kit.mjs";

const holds = (page, text) => page.evaluate((t) => [...document.querySelectorAll("input, textarea")].map((e) => e.value).concat(document.documentElement.outerHTML).join().includes(t), text);

async function bell(page, base) {
  await page.goto(`${base}/servers`);
  await check("the bell says how many are unread and leads to them", async () => {
    await page.getByRole("link", { name: "Notifications, 2 unread" }).click();
    await page.getByRole("list", { name: "Notices" }).getByText("Approval needed").waitFor();
    await accessible(page, "notices");
    await shoot(page, "notifications-inbox");
  });
  await check("marked as read, the bell is empty", async () => {
    await page.getByRole("button", { name: "Mark all as read" }).click();
    await page.getByRole("link", { name: "Notifications, none unread" }).waitFor();
    expect(await page.getByText("new", { exact: true }).count() === 0, "something is still new");
  });
}

async function channels(page) {
  const rows = page.getByRole("list", { name: "Channels" });
  await check("channels, by keyboard from the tabs", async () => {
    await page.getByRole("tab", { name: "For you" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await rows.getByText("Ops room").waitFor();
    await accessible(page, "channels");
    await shoot(page, "notifications-channels");
  });
  await check("a test is sent and its outcome shown", async () => {
    await page.getByRole("button", { name: "Send a test to Ops room" }).click();
    await rows.getByText("The test was taken.").waitFor();
  });
  await check("a wrong code says what to do, the right one lets the channel be used", async () => {
    await page.getByRole("button", { name: "Send the code" }).click();
    await rows.getByText("Look into the mailbox").waitFor();
    await page.getByLabel("The code that came to On call").fill("000000");
    await page.getByRole("button", { name: "Confirm" }).click();
    await rows.getByText("have another one sent").waitFor();
    await page.getByLabel("The code that came to On call").fill("123456");
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("button", { name: "Send a test to On call" }).waitFor();
  });
  await check("an address that is not public is refused with the reason, a good one gets its signing secret shown once", async () => {
    await page.getByRole("button", { name: "Add a channel" }).click();
    await page.getByLabel("Kind").selectOption("webhook");
    await page.getByLabel("Name").fill("Deploys");
    await page.getByLabel("URL").fill("https://127.0.0.1/hook");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("dialog").getByText("is not public").waitFor();
    await accessible(page, "add a channel");
    await shoot(page, "notifications-add");
    await page.getByLabel("URL").fill("https://deploys.example.org/hook");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByText("whsec_").waitFor();
    await page.getByRole("button", { name: "I have it" }).click();
    await rows.getByText("Deploys", { exact: true }).waitFor();
    expect(!(await holds(page, "whsec_")), "the signing secret is still in the page");
  });
  await check("routing: some events only", async () => {
    await page.getByRole("button", { name: "Routing of Deploys" }).click();
    await page.getByLabel("All events, also later ones").uncheck();
    expect(await page.getByRole("button", { name: "Save" }).isDisabled(), "nothing chosen could be saved");
    await page.getByLabel("Server offline (critical)").check();
    await accessible(page, "routing");
    await page.getByRole("button", { name: "Save" }).click();
    await rows.getByText("told one event").first().waitFor();
  });
  await check("a credential is typed once and is nowhere in the page", async () => {
    await page.getByRole("button", { name: "Credential of Ops room" }).click();
    await page.getByLabel("Incoming webhook URL").fill("https://hooks.slack.com/services/canary-in-the-page");
    await page.getByRole("button", { name: "Replace" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(!(await holds(page, "canary-in-the-page")), "the credential is in the page");
  });
  await check("a channel is deleted", async () => {
    await page.getByRole("button", { name: "Delete Old room" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await rows.getByText("Old room").waitFor({ state: "detached" });
  });
}

async function deliveries(page) {
  await check("the delivery log, and another try for what was given up", async () => {
    await page.getByRole("tab", { name: "Delivery log" }).click();
    await page.getByRole("list", { name: "Deliveries" }).getByText("no connection").waitFor();
    await accessible(page, "delivery log");
    await shoot(page, "notifications-deliveries");
    await page.getByLabel("State").selectOption("dead");
    await page.getByRole("button", { name: "Try again: server.offline to Old room" }).click();
    await page.getByText("None of these.").waitFor();
  });
  await check("letters that were given up stand below, without an address that nobody has confirmed", async () => {
    const dead = page.getByRole("list", { name: "Dead letters" });
    await dead.getByText("guest@example.org").waitFor();
    await dead.getByText("an address that is not confirmed").waitFor();
    await accessible(page, "dead letters");
    await shoot(page, "dead-letters");
  });
}

export async function notifications(base) {
  const page = await open(360);
  await signIn(page, base);
  await check("more notices than the bell counts are named as they are seen", async () => {
    await page.route("**/notifications/inbox/unread", (r) => r.fulfill({ json: { unread: 120 } }));
    await page.reload();
    await page.getByRole("link", { name: "Notifications, 99+ unread" }).waitFor();
    await accessible(page, "the bell with many");
    await page.unroute("**/notifications/inbox/unread");
    await page.reload();
  });
  await bell(page, base);
  await channels(page);
  await deliveries(page);
  await page.context().close();
}
