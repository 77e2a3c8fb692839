// The tab Security of a server: what it proves itself with, and what may be done about it.
import { accessible, check, expect, open, shoot, signIn } from "./kit.mjs";

export async function security(base) {
  const page = await open(360);
  await signIn(page, base);
  const facts = page.locator("dl.facts").last();
  await check("a server's security says what was negotiated, and a check from end to end brings its facts", async () => {
    await page.getByRole("link", { name: "web-1" }).click();
    await page.getByRole("tab", { name: "Security" }).click();
    await facts.getByText("Post-quantum active").waitFor();
    await facts.getByText("mldsa65").waitFor();
    await facts.getByText("never", { exact: true }).waitFor();
    await accessible(page, "security");
    await shoot(page, "security-360");
    await page.getByRole("button", { name: "Run end-to-end check" }).click();
    await facts.getByText(/passed .*X25519MLKEM768, handshake and challenge signed by mldsa65 with the key above, in 41 ms/).waitFor();
  });
  await check("its key is rotated, and the page says when", async () => {
    const before = await facts.locator("dd.bytes").textContent();
    await page.getByRole("button", { name: "Rotate keys" }).click();
    await page.waitForFunction((old) => { const now = [...document.querySelectorAll("dl.facts dd.bytes")].at(-1)?.textContent; return now && now !== old; }, before);
    await facts.getByText("just now").first().waitFor();
  });
  await check("the install command is made anew from there", async () => {
    await page.getByRole("button", { name: "Regenerate install command" }).click();
    const dialog = page.getByRole("dialog", { name: "Regenerate the install command" });
    await dialog.getByText("takes the place of web-1").waitFor();
    await dialog.getByRole("button", { name: "Make the install command" }).click();
    await dialog.getByLabel("Install command", { exact: true }).getByText("openssl").waitFor();
    await accessible(page, "install command anew");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
  await check("a key is revoked after the server's name was typed, and the page says what that means", async () => {
    await page.getByRole("link", { name: "All servers" }).click();
    await page.getByRole("link", { name: "old-box" }).click();
    await page.getByRole("tab", { name: "Security" }).click();
    await facts.getByText("Not connected").waitFor();
    expect(await page.getByRole("button", { name: "Run end-to-end check" }).isDisabled(), "what is not connected cannot be checked");
    await page.getByRole("button", { name: "Revoke the key" }).click();
    const dialog = page.getByRole("dialog", { name: "Revoke a server's key" });
    expect(await dialog.getByRole("button", { name: "Revoke it" }).isDisabled(), "without the name");
    await dialog.getByRole("textbox", { name: "Type old-box to revoke its key" }).fill("old-box");
    await accessible(page, "revoke a key");
    await dialog.getByRole("button", { name: "Revoke it" }).click();
    await page.getByRole("alert").getByText("Its key was revoked").waitFor();
    await facts.getByText("Key revoked").waitFor();
    expect(await page.getByRole("button", { name: "Rotate keys" }).count() === 0, "a revoked key is rotated");
    await accessible(page, "a revoked key");
    await shoot(page, "security-revoked-360");
  });
  await page.context().close();
}
