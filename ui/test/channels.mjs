// Notification settings and the delivery log against a real control plane, with a real receiver of webhooks: WEBHOOK is
// its address. It takes what comes to /hook, is broken once at /broken and refuses once at /refuses.
import { accessible, check, email, expect, open, password, shoot, signIn, told } from "./kit.mjs";

const hook = (path) => `${process.env.WEBHOOK}/${path}`;
const rows = (page, list) => page.getByRole("list", { name: list }).getByRole("listitem");
const dialog = (page) => page.getByRole("dialog");
const known = async (page, name) => (await told(page, "/notifications/channels")).data.find((c) => c.name === name);
const deliveries = async (page, name) => (await told(page, "/notifications/deliveries")).data.filter((d) => d.channel_name === name);
const holds = (page, text) => page.evaluate((t) => [...document.querySelectorAll("input, textarea")].map((e) => e.value).concat(document.documentElement.outerHTML).join().includes(t), text);

async function signingSecret(page) {
  const secret = await dialog(page).locator("code").innerText();
  expect(/^whsec_[A-Za-z0-9+/=]{32,}$/.test(secret), "no signing secret");
  return secret;
}

/** A webhook; gives its signing secret, which is shown once. */
async function add(page, name, path) {
  await page.getByRole("button", { name: "Add a channel" }).click();
  await dialog(page).getByLabel("Kind").selectOption("webhook");
  await dialog(page).getByLabel("Name").fill(name);
  await dialog(page).getByLabel("URL").fill(hook(path));
  await dialog(page).getByRole("button", { name: "Add", exact: true }).click();
  const secret = await signingSecret(page);
  await page.getByRole("button", { name: "I have it" }).click();
  await rows(page, "Channels").getByText(name, { exact: true }).waitFor();
  expect(!(await holds(page, secret)), "the signing secret is still in the page");
  return secret;
}

async function settings(page) {
  let secret;
  await check("a webhook is added: its secret is shown once, and the API has it without the secret", async () => {
    await page.getByText("No channel yet").waitFor();
    await accessible(page, "no channel");
    await shoot(page, "channels-none");
    secret = await add(page, "Deploys", "hook");
    const made = await known(page, "Deploys");
    expect(made.kind === "webhook" && made.has_credential && made.verified && !JSON.stringify(made).includes(secret), JSON.stringify(made));
  });
  await check("a test goes out and is seen to be taken", async () => {
    await page.getByRole("button", { name: "Send a test to Deploys" }).click();
    await page.getByText("The test was taken.").waitFor({ timeout: 20_000 });
    const [sent] = await deliveries(page, "Deploys");
    expect(sent.event === "notification.test" && sent.state === "delivered" && sent.tries === 1, JSON.stringify(sent));
    await accessible(page, "channels");
    await shoot(page, "channels-real");
  });
  await check("another signing secret: for a day both sign, and the page says until when", async () => {
    await page.getByRole("button", { name: "Credential of Deploys" }).click();
    await dialog(page).getByRole("button", { name: "Replace" }).click();
    const next = await signingSecret(page);
    await page.getByRole("button", { name: "I have it" }).click();
    expect(next !== secret, "it is the same secret");
    await page.getByText("The old signing secret signs too until").waitFor();
    expect(Date.parse((await known(page, "Deploys")).previous_secret_until) > Date.now() + 23 * 3.6e6, "the API says something else");
  });
  await check("routing is stored as it was chosen, and only that is told", async () => {
    await page.getByRole("button", { name: "Routing of Deploys" }).click();
    await dialog(page).getByLabel("From this severity up").selectOption("info");
    await dialog(page).getByLabel("All events, also later ones").uncheck();
    await dialog(page).getByLabel(/^Key rotated/).check();
    await accessible(page, "routing");
    await shoot(page, "routing-real");
    await dialog(page).getByRole("button", { name: "Save" }).click();
    await rows(page, "Channels").getByText("told one event").waitFor();
    expect((await known(page, "Deploys")).events.join() === "key.rotated", "the API says something else");
  });
  await check("a channel that is put aside is not used, until it is taken up again", async () => {
    for (const [box, badge] of [["check", 1], ["uncheck", 0]]) {
      await page.getByRole("button", { name: "Routing of Deploys" }).click();
      await dialog(page).getByLabel("Do not use this channel for now")[box]();
      await dialog(page).getByRole("button", { name: "Save" }).click();
      await dialog(page).waitFor({ state: "detached" });
      expect(await page.getByText("not used", { exact: true }).count() === badge && !!(await known(page, "Deploys")).paused === !!badge, `${box} does not hold`);
    }
  });
}

async function log(page, base) {
  const list = rows(page, "Deliveries");
  await check("what happens is told to whom it should, and the delivery log shows it by itself, with a try that failed", async () => {
    await add(page, "Flaky", "broken");
    await page.goto(`${base}/secrets/keys`);
    await page.getByRole("button", { name: "Rotate jwt" }).click();
    await page.getByRole("button", { name: "Rotate now" }).click();
    await page.getByText("generation 2").waitFor();
    await page.goto(`${base}/notifications/deliveries`);
    await list.filter({ hasText: "key.rotated to Deploys" }).getByText("delivered", { exact: true }).waitFor({ timeout: 20_000 });
    await list.filter({ hasText: "key.rotated to Flaky" }).filter({ hasText: "2 tries" }).getByText("delivered", { exact: true }).waitFor({ timeout: 20_000 });
    expect((await deliveries(page, "Deploys")).map((d) => d.event).join() === "key.rotated,notification.test", JSON.stringify(await deliveries(page, "Deploys")));
    expect((await deliveries(page, "Flaky")).find((d) => d.event === "key.rotated").tries === 2, JSON.stringify(await deliveries(page, "Flaky")));
  });
  await check("what was given up says why, and goes out when it is tried again", async () => {
    await page.getByRole("tab", { name: "Channels" }).click();
    await add(page, "Strict", "refuses");
    await page.getByRole("button", { name: "Send a test to Strict" }).click();
    await page.getByRole("alert").getByText("400").first().waitFor({ timeout: 20_000 });
    await page.getByRole("tab", { name: "Delivery log" }).click();
    await page.getByLabel("State").selectOption("dead");
    await list.filter({ hasText: "Strict" }).getByText("given up", { exact: true }).waitFor();
    await accessible(page, "delivery log");
    await shoot(page, "deliveries-real");
    await page.getByRole("button", { name: "Try again: notification.test to Strict" }).click();
    await page.getByText("None of these.").waitFor();
    await page.getByLabel("State").selectOption("delivered");
    await list.filter({ hasText: "Strict" }).waitFor({ timeout: 20_000 });
    expect((await deliveries(page, "Strict"))[0].state === "delivered", "the API says something else");
  });
  await check("a deleted channel is gone from the page and from the API, and from a page whose event stream opens late", async () => {
    const { late, release } = await lateStream(base);
    await page.getByRole("tab", { name: "Channels" }).click();
    await page.getByRole("button", { name: "Delete Strict" }).click();
    await dialog(page).getByRole("button", { name: "Delete" }).click();
    await rows(page, "Channels").getByText("Strict", { exact: true }).waitFor({ state: "detached" });
    expect(await known(page, "Strict") === undefined, "the API has it still");
    release();
    await rows(late, "Channels").getByText("Strict", { exact: true }).waitFor({ state: "detached", timeout: 8000 });
    await late.context().close();
  });
}

// A page that shows the channels, and hears of nothing before it is released.
async function lateStream(base) {
  const late = await open(360);
  await signIn(late, base, { email, password });
  let release;
  const held = new Promise((r) => { release = r; });
  await late.route("**/api/v1/events", (r) => held.then(() => r.continue()));
  await late.goto(`${base}/notifications/channels`);
  await rows(late, "Channels").getByText("Strict", { exact: true }).waitFor();
  return { late, release };
}

export async function channels(base) {
  const page = await open(360);
  await signIn(page, base, { email, password });
  await page.goto(`${base}/notifications/channels`);
  await settings(page);
  await log(page, base);
  await page.context().close();
}
