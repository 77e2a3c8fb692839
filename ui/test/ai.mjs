// The switches of the AI on the Pilot page: the brake, what the page says while it is on, and back.
import { accessible, check, expect, facts, open, shoot, signIn, told } from "./kit.mjs";

const button = (where, name) => where.getByRole("button", { name, exact: true });

export async function ai(base) {
  const page = await open(360), other = await open(1280, "dark");
  for (const p of [page, other]) {
    await signIn(p, base);
    await p.goto(`${base}/pilot`);
  }
  const notice = (p, title) => p.getByRole("status").filter({ hasText: title });
  await check("the brake is in sight on the Pilot page, also on a narrow screen", async () => {
    await button(page, "Stop the AI").waitFor();
    const box = await button(page, "Stop the AI").boundingBox();
    expect(box.x >= 0 && box.x + box.width <= 360 && box.y + box.height <= 800, JSON.stringify(box));
  });
  await check("one click stops the AI, and every open page says so", async () => {
    await button(page, "Stop the AI").click();
    for (const p of [page, other]) {
      await notice(p, "The AI is stopped").waitFor();
      expect(await button(p, "Stop the AI").count() === 0, "still offered to stop it");
      await p.getByLabel("Message to the Pilot").fill("hello");
      expect(await button(p, "Send").isDisabled(), "a question can be sent");
    }
    expect((await told(page, "/ai")).on === false, "not stopped");
  });
  await check("stopped: who did it stands there, and the page is accessible in light and dark", async () => {
    await notice(page, "The AI is stopped").getByText("@example.org").waitFor();
    for (const p of [page, other]) await accessible(p, "stopped AI");
    await shoot(page, "ai-stopped-360");
    await shoot(other, "ai-stopped-dark");
  });
  await check("it is started again from there, and questions are taken", async () => {
    await button(page, "Start the AI").click();
    await notice(page, "The AI is stopped").waitFor({ state: "detached" });
    await button(other, "Stop the AI").waitFor();
    expect(await button(page, "Send").isEnabled(), "no question can be sent");
  });
  const dialog = page.getByRole("dialog", { name: "AI settings" });
  await check("by keyboard: write actions are switched off in the settings, and the page says what that means", async () => {
    await button(page, "AI settings").focus();
    await page.keyboard.press("Enter");
    await button(dialog, "Switch off").waitFor();
    await accessible(page, "AI settings");
    await shoot(page, "ai-settings-360");
    await button(dialog, "Switch off").focus();
    await page.keyboard.press("Enter");
    await dialog.getByText("Write actions: off").waitFor();
    await page.keyboard.press("Escape");
    await notice(other, "The AI proposes no changes").waitFor();
    await shoot(other, "ai-no-writes-dark");
  });
  await check("and are allowed again", async () => {
    await button(other, "Allow changes to be proposed").click();
    for (const p of [page, other]) await notice(p, "The AI proposes no changes").waitFor({ state: "detached" });
    expect((await told(page, "/ai")).writes === true, "still off");
  });
  await check("one operation is switched off and allowed again in the settings", async () => {
    await button(page, "AI settings").click();
    const list = dialog.getByRole("list", { name: "What the AI may propose" });
    await button(list, "Switch off unit.restart").click();
    await button(list, "Allow unit.restart").waitFor();
    await accessible(page, "operations of the AI");
    await shoot(page, "ai-operations-360");
    await button(list, "Allow unit.restart").click();
    await button(list, "Switch off unit.restart").waitFor();
  });
  await check("Production Protection is switched off for a while with a reason, every open page says so, and it is switched on again with one click", async () => {
    await button(dialog, "Switch Production Protection off for a while").click();
    await dialog.getByLabel("For").selectOption("15");
    expect(await button(dialog.getByRole("form", { name: "Switch Production Protection off" }), "Switch off").isDisabled(), "without a reason");
    await dialog.getByLabel("Why").fill("the disk is full");
    await accessible(page, "switching the protection off");
    await shoot(page, "ai-unprotect-360");
    await button(dialog.getByRole("form", { name: "Switch Production Protection off" }), "Switch off").click();
    await dialog.getByText("Production Protection: off").waitFor();
    await page.keyboard.press("Escape");
    for (const p of [page, other]) await notice(p, "Production Protection is off").getByText("the disk is full").waitFor();
    await accessible(other, "production unprotected");
    await shoot(other, "ai-unprotected-dark");
    expect((await told(page, "/ai")).production_protection.on === false, "still on");
    await button(page, "Protect production again").click();
    for (const p of [page, other]) await notice(p, "Production Protection is off").waitFor({ state: "detached" });
    expect((await told(page, "/ai")).production_protection.on === true, "still off");
  });
  for (const p of [page, other]) await p.context().close();
}

/** One conversation in Ask mode: the switch, what is said of it, and what is sent. */
export async function askMode(base) {
  const page = await open(360), other = await open(1280, "dark");
  for (const p of [page, other]) await signIn(p, base);
  await page.goto(`${base}/pilot`);
  const mode = (p) => p.getByRole("combobox", { name: "Mode" });
  await check("by keyboard: a new conversation is put into Ask mode, gets an answer and no card", async () => {
    await page.getByText("Each change that it wants here comes to you as a card; several may stand in a plan, decided one by one or together.").waitFor();
    await mode(page).focus();
    await page.keyboard.press("ArrowUp");
    await page.getByText("It reads and explains here, and proposes nothing.").waitFor();
    await accessible(page, "Ask mode");
    await shoot(page, "ask-mode-360");
    await page.getByLabel("Message to the Pilot").fill("nginx on web-1 is down, bring it back");
    await button(page, "Send").click();
    await page.getByText("I propose nothing here.").waitFor({ timeout: 20_000 });
    expect(await page.locator("article.approval").count() === 0, "a card in Ask mode");
    expect((await told(page, page.url().replace(/.*(\/pilot\/)/, "/pilot/conversations/"))).mode === "ask", "not kept");
  });
  await check("the mode stands in the list and on every open page, and is switched back", async () => {
    await other.goto(page.url());
    await other.getByText("It reads and explains here, and proposes nothing.").waitFor();
    expect(await mode(other).inputValue() === "ask", "not shown elsewhere");
    await other.getByRole("navigation", { name: "Conversations" }).getByText("Ask", { exact: true }).waitFor();
    await accessible(other, "a conversation in Ask mode");
    await shoot(other, "ask-mode-dark");
    await mode(page).selectOption("plan");
    await page.getByText("Each change that it wants here comes to you as a card; several may stand in a plan, decided one by one or together.").waitFor();
    await other.getByText("Each change that it wants here comes to you as a card; several may stand in a plan, decided one by one or together.").waitFor();
  });
  const dialog = page.getByRole("dialog", { name: "AI settings" });
  await check("how many steps an answer may take is set in the AI settings", async () => {
    await button(page, "AI settings").click();
    await dialog.getByText("Steps of one answer: 100").waitFor();
    await button(dialog, "Change Steps of one answer").click();
    await dialog.getByRole("spinbutton", { name: "Steps of one answer" }).fill("25");
    await accessible(page, "steps of one answer");
    await button(dialog, "Save").click();
    await dialog.getByText("Steps of one answer: 25").waitFor();
    expect((await told(page, "/ai")).limits[0].value === 25, "not set");
  });
  await check("who answers is chosen with a key that is named and never shown, after a test that lists the models", async () => {
    await button(dialog, "Choose a provider").click();
    const form = dialog.getByRole("form", { name: "Choose a provider" });
    await button(form, "Test the connection").click();
    await form.getByText("the AI provider's address is not public").waitFor();
    await form.getByLabel("Key").selectOption({ label: "MAIN_MODEL" });
    await button(form, "Test the connection").click();
    await form.getByText("has 2 models").waitFor();
    await form.getByLabel("Model").selectOption("stand-in-2");
    await form.getByLabel("Provider").selectOption({ label: "OpenAI" });
    expect(await form.getByLabel("Key").inputValue() === "", "a key of another provider is kept, and would be sent there");
    await form.getByLabel("Provider").selectOption({ label: "Anthropic" });
    await form.getByLabel("Key").selectOption({ label: "MAIN_MODEL" });
    await button(form, "Test the connection").click();
    await form.getByText("has 2 models").waitFor();
    await form.getByLabel("Model").selectOption("stand-in-2");
    await accessible(page, "choosing a provider");
    await shoot(page, "ai-provider-360");
    await button(form, "Save").click();
    await dialog.getByText("Who answers: Anthropic").waitFor();
    const set = (await told(page, "/ai/provider")).chosen;
    expect(set.model === "stand-in-2" && set.key.name === "MAIN_MODEL" && set.base_url === "https://api.anthropic.com", JSON.stringify(set));
    await button(dialog, "As installed").click();
    await dialog.getByText("Who answers: built-in, no model").waitFor();
  });
  for (const p of [page, other]) await p.context().close();
}

/** Where two people have to say yes: the setting, and cards that wait for the second. */
export async function secondPerson(base) {
  const page = await open(360);
  await signIn(page, base);
  const dialog = page.getByRole("dialog", { name: "AI settings" });
  await check("an Owner asks for two people, and is told what that means", async () => {
    await page.goto(`${base}/pilot`);
    await button(page, "AI settings").click();
    await button(dialog, "Ask for two").click();
    await dialog.getByText("Second person: asked for").waitFor();
    await accessible(page, "second person");
    await shoot(page, "ai-second-person-360");
    expect((await told(page, "/ai")).second_person === true, "not asked for");
    await button(dialog, "One is enough").click();
    await dialog.getByText("Second person: off").waitFor();
  });
  const card = (words) => page.locator("article.approval", { hasText: words });
  await check("a card that one person allowed says so and asks for one more; who asked for it is not offered the second yes", async () => {
    await page.goto(`${base}/approvals`);
    await page.getByLabel("State").selectOption({ label: "one more person" });
    const own = card("Asked for by whoever looks at it.");
    await own.getByText("You asked for this: the second yes is another person's.").waitFor();
    const shown = await facts(own);
    expect(shown["Takes"].startsWith("two people") && shown["Allowed by"].startsWith("lena@example.org"), JSON.stringify(shown));
    expect(await own.getByRole("button", { name: "Allow" }).count() === 0, "the asker is offered Allow");
    expect(await own.getByRole("button", { name: "Deny" }).count() === 1, "nobody may say no");
    await own.getByText("one more person", { exact: true }).waitFor();
    await accessible(page, "half approved");
    await shoot(page, "card-half-approved-360");
  });
  await check("by keyboard: another person's yes is the second, and it runs", async () => {
    const theirs = card("Asked for by somebody else.");
    await page.getByLabel("State").selectOption("");
    const allow = theirs.getByRole("button", { name: "Allow" });
    await allow.scrollIntoViewIfNeeded();
    await page.waitForFunction((b) => !b.disabled, await allow.elementHandle(), { timeout: 5000 });
    await allow.focus();
    await page.keyboard.press("Enter");
    await theirs.and(page.locator(".completed")).waitFor({ timeout: 20_000 });
    await theirs.getByText("mara@example.org").first().waitFor();
  });
  await page.context().close();
}

/** On the page of web-1: what the AI could do there, why not, and how that is set. Left at "full". */
export async function aiAccess(base) {
  const page = await open(360);
  await signIn(page, base);
  await page.getByRole("link", { name: "web-1" }).first().click();
  await page.getByRole("tab", { name: "AI", exact: true }).click();
  const list = page.getByRole("list", { name: "AI access" });
  const may = () => facts(page.getByRole("tabpanel"));
  await check("a server that the AI may only look at: the page says so and names the setting", async () => {
    await button(list, "Set Look").click();
    await button(list, "Set Look").waitFor({ state: "detached" });
    const shown = await may();
    expect(shown["May look"] === "yes" && shown["May propose"].includes("setting: AI access of the server, read"), JSON.stringify(shown));
    await accessible(page, "AI access");
    await shoot(page, "ai-access-360");
  });
  await check("by keyboard: it is shut to the AI, and opened again", async () => {
    for (const [level, says] of [["No access", "no: the AI has no access"], ["Look and propose", "yes"]]) {
      await button(list, `Set ${level}`).focus();
      await page.keyboard.press("Enter");
      await button(list, `Set ${level}`).waitFor({ state: "detached" });
      expect((await may())["May look"].startsWith(says), level);
    }
  });
  await check("P10: said to be production, the page says that the AI proposes nothing there, and the badge says production", async () => {
    const change = async (to) => {
      await button(page, "Change the environment").click();
      const ask = page.getByRole("dialog", { name: "What is this server for?" });
      await ask.getByLabel("Environment").selectOption(to);
      await accessible(page, "environment");
      await shoot(page, `environment-${to}-360`);
      await button(ask, "Save").click();
      await ask.waitFor({ state: "detached" });
    };
    await change("production");
    await page.locator(".badges", { hasText: "production" }).waitFor();
    await page.getByRole("tabpanel").getByText("setting: Production Protection, on").waitFor();
    const gates = page.getByRole("list", { name: "What is asked before it proposes" });
    await gates.getByText("Production Protection: shut").waitFor();
    await gates.getByText("write actions: open").waitFor();
    await change("development");
    await gates.getByText("Production Protection: open").waitFor();
  });
  await page.context().close();
}

/** A plan: its steps, several allowed together, what is destructive by itself, where it stopped and why; in both modes. */
export async function plans(base) {
  const page = await open(360), other = await open(1280, "dark");
  for (const p of [page, other]) await signIn(p, base);
  const ask = async (mode, words) => {
    await page.goto(`${base}/pilot`);
    await page.getByRole("combobox", { name: "Mode" }).selectOption(mode);
    await page.getByLabel("Message to the Pilot").fill(words);
    await button(page, "Send").click();
    await plan(page).waitFor({ timeout: 20_000 });
  };
  const plan = (p) => p.getByRole("region", { name: "Plan: Put the shop right" }).first();
  const step = (p, n) => plan(p).getByRole("listitem", { name: `Step ${n}` });
  const is = (p, state) => plan(p).getByRole("status").filter({ hasText: new RegExp(`^${state}$`) }).first();
  await check("a plan shows its steps in their order, each with its exact bytes, and the digest of all of them", async () => {
    await ask("plan", "put the shop right, as a plan");
    for (const n of [1, 2, 3]) await step(page, n).getByLabel("Exact bytes").waitFor();
    await plan(page).getByText("computed here too, of all steps").waitFor();
    expect(await plan(page).getByRole("listitem").count() === 3, "not three steps");
    await step(page, 3).getByText("destructive, and so decided by itself").waitFor();
    expect(await step(page, 3).getByRole("checkbox").count() === 0, "a destructive step can be decided with others");
    await accessible(page, "a plan");
    await shoot(page, "plan-360");
    await other.goto(page.url());
    await plan(other).waitFor();
    await accessible(other, "a plan, wide and dark");
    await shoot(other, "plan-dark");
  });
  await check("by keyboard: steps are taken out of what is allowed together, and the button names what is left", async () => {
    await button(plan(page), "Allow steps 1 and 2").waitFor();
    await step(page, 2).getByRole("checkbox").focus();
    await page.keyboard.press("Space");
    await button(plan(page), "Allow step 1").waitFor();
    await page.keyboard.press("Space");
    const allow = button(plan(page), "Allow steps 1 and 2");
    await allow.scrollIntoViewIfNeeded();
    await page.waitForFunction((b) => !b.disabled, await allow.elementHandle());
    await allow.focus();
    await page.keyboard.press("Enter");
    await step(page, 2).getByRole("status").filter({ hasText: "completed" }).waitFor({ timeout: 20_000 });
  });
  await check("the destructive step waits for a yes of its own, and every open page follows", async () => {
    await is(other, "waiting").waitFor();
    expect(await button(plan(page), "Allow step 3").count() === 0, "offered with others");
    const deny = button(step(page, 3), "Deny");
    await deny.scrollIntoViewIfNeeded();
    await page.waitForFunction((b) => !b.disabled, await deny.elementHandle());
    await deny.click();
    await button(step(page, 3), "Deny now").click();
    await plan(other).getByText("Stopped at step 3").waitFor();
    await accessible(page, "a plan that stopped");
    await shoot(page, "plan-stopped-360");
  });
  await check("in agent mode it is allowed as a whole: no step has a yes of its own but the destructive one", async () => {
    await ask("agent", "put the shop right, as a plan");
    await plan(page).getByText("allowed as a whole").waitFor();
    for (const n of [1, 2]) expect(await button(step(page, n), "Allow").count() === 0, `step ${n} has a yes of its own`);
    expect(await plan(page).getByRole("checkbox").count() === 0, "steps can be chosen");
    await button(step(page, 3), "Allow").waitFor();
    await accessible(page, "a plan of agent mode");
    await shoot(page, "plan-agent-360");
    const deny = button(plan(page), "Deny the plan");
    await deny.scrollIntoViewIfNeeded();
    await page.waitForFunction((b) => !b.disabled, await deny.elementHandle());
    await deny.click();
    await plan(page).getByLabel("Reason").fill("not today");
    await button(plan(page), "Deny the plan now").click();
    await plan(page).getByText("Stopped at step 1").waitFor();
  });
  await check("among the approvals a step leads to its plan, and is not decided out of sight of it", async () => {
    await ask("plan", "put the shop right, as a plan");
    await other.goto(`${base}/approvals`);
    const card = other.locator("article.approval.pending").filter({ hasText: "a plan" }).first();
    await card.waitFor();
    expect(await card.getByRole("button", { name: "Allow" }).count() === 0, "decided there");
    await card.getByRole("link", { name: "Decide it in its plan" }).click();
    await plan(other).waitFor();
    await accessible(other, "a plan's own page");
  });
  await check("steps whose digest is not that of the plan cannot be allowed together", async () => {
    await page.route("**/api/v1/plans/*", async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      if (body.steps) [body.steps[0], body.steps[1]] = [body.steps[1], body.steps[0]];
      await route.fulfill({ response: answer, json: body });
    });
    await page.reload();
    await plan(page).getByText("The digest does not belong to these steps").waitFor();
    await page.waitForTimeout(2000);  // longer than the arm delay
    expect(await button(plan(page), "Allow steps 2 and 1").or(button(plan(page), "Allow steps 1 and 2")).first().isDisabled(), "can be allowed");
  });
  await page.context().close();
  await other.context().close();
}
