// What a conversation shows whose answer will not come any more: caipd was killed in the middle of a turn.
import { accessible, check, expect, open, shoot, signIn } from "./kit.mjs";

export async function interrupted(base) {
  const page = await open(360);
  await signIn(page, base);
  const question = "restart nginx on web-1";
  await page.goto(`${base}/pilot`);
  await page.getByLabel("Message to the Pilot").fill(question);
  await page.keyboard.press("Enter");
  await page.locator("article.approval").last().waitFor({ timeout: 30_000 });
  await page.route(/\/pilot\/conversations\/[^/]+$/, async (r) => {
    const reply = await r.fetch();
    const talk = await reply.json();
    await r.fulfill({ response: reply, json: { ...talk, answering: false, messages: talk.messages.slice(0, 1) } });
  });
  await check("an interrupted turn is said, with what is certain and where a card may wait", async () => {
    await page.reload();
    const alert = page.getByRole("alert").filter({ hasText: "The Pilot was interrupted before it answered" });
    await alert.waitFor();
    await alert.getByText("Nothing was run. A card that it had made already waits under Approvals.").waitFor();
    await accessible(page, "an interrupted turn");
    await shoot(page, "pilot-interrupted");
  });
  await check("it is asked again with the same words", async () => {
    const sent = page.waitForRequest((r) => r.method() === "POST" && /\/messages$/.test(r.url()));
    await page.getByRole("button", { name: "Ask again" }).click();
    expect((await sent).postDataJSON().text === question, "other words were sent");
  });
  await page.unrouteAll({ behavior: "wait" });  // what it still has in hand would find the page gone
  await page.context().close();
}
