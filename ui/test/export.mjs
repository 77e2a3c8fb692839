// The log as a file, from the page, against a real control plane. The files go to the folder EXPORTS, where
// test/functional/test_ui.py looks at them with caip.
import { join } from "node:path";
import { accessible, check, email, expect, open, shoot, signIn, told } from "./kit.mjs";

// The server gives 10,000 entries in a piece. Here the first piece is cut in its middle; what follows is the server's own.
const cuts = {
  csv(lines) {
    const index = (line) => Number(line.split(",")[0]), half = lines.length >> 1, last = index(lines.at(-1));
    return { kept: lines.slice(0, half), next: `${index(lines[half])}.${last + 1}.${last}` };
  },
  bundle(lines) {
    const all = lines.map((l) => JSON.parse(l)), half = all.findIndex((l, i) => i > all.length / 2 && "e" in l);
    const next = `${all[half].i}.${all.at(-1).end}.${all.findLast((l) => "e" in l).i}`;
    return { kept: [...lines.slice(0, half), JSON.stringify({ next })], next };
  },
};

async function inPieces(page, format) {
  let asked = 0;
  await page.route(/audit\/export/, async (r) => {
    if (asked++) {
      await page.getByText(/^[1-9]\d? % of the log is through/).waitFor();
      return await r.continue();
    }
    const reply = await r.fetch();
    const { kept, next } = cuts[format]((await reply.text()).trim().split("\n"));
    await r.fulfill({ response: reply, headers: { ...reply.headers(), "caip-next-place": next }, body: `${kept.join("\n")}\n` });
  });
  return () => asked;
}

async function taken(page, button, format) {
  const asked = await inPieces(page, format);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  await file.saveAs(join(process.env.EXPORTS, `audit.${format}`));
  await page.unroute(/audit\/export/);
  expect(file.suggestedFilename() === `audit.${format}` && asked() === 2, `${file.suggestedFilename()}, ${asked()} pieces`);
}

export async function logExport(base) {
  const page = await open(360);
  await signIn(page, base);
  await page.goto(`${base}/audit`);
  await page.locator("ol.audit details").first().waitFor();
  await check("an export is taken to its end, piece by piece, and says how far it is", async () => {
    await taken(page, "Download as CSV", "csv");
    await taken(page, "Download with proof", "bundle");
    await accessible(page, "export");
    await shoot(page, "export");
  });
  await check("the log is narrowed to a person by their address", async () => {
    const me = (await told(page, "/session")).user.id;
    await page.getByLabel("Actor").fill(email);
    await page.getByLabel("Action", { exact: true }).fill("log.export");
    const known = (await told(page, `/audit/entries?action=log.export&actor=${me}&limit=50`)).data.map((e) => e.index).join();
    await page.waitForFunction((all) => [...document.querySelectorAll("ol.audit summary .num")].map((n) => n.textContent).join() === all, known);
    expect(known.split(",").length >= 2, known);
  });
  await page.context().close();
}
