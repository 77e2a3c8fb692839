// Using a page by keyboard alone: the only way to a control is the key that leads there, and wherever the focus
// stops on its way it has to be seen.
import { expect } from "./kit.mjs";

// Runs in the page: what has the focus, and what of that cannot be seen.
function focused() {
  const e = document.activeElement;
  if (!e || e === document.body || e.id === "main") return { name: "the page itself", unseen: null };
  const name = `${e.tagName.toLowerCase()} "${(e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || "").trim().slice(0, 40)}"`;
  const light = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return { value: 0.2126 * x + 0.7152 * y + 0.0722 * z, opaque: a === 1 };
  };
  const behind = (x) => {
    for (let p = x; p; p = p.parentElement) {
      const found = light(getComputedStyle(p).backgroundColor);
      if (found.opaque) return found.value;
    }
    return 1;
  };
  const ringed = (x) => { const s = getComputedStyle(x); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2; };
  // A switch's input is invisible, its track shows the ring; a password's field shows it around its button too.
  const shown = [e, ...e.parentElement.children, e.parentElement, e.parentElement.parentElement].find((x) => x && ringed(x));
  if (!shown) return { name, unseen: "has no ring" };
  const ring = light(getComputedStyle(shown).outlineColor).value, ground = behind(shown.parentElement);
  const contrast = (Math.max(ring, ground) + 0.05) / (Math.min(ring, ground) + 0.05);
  if (contrast < 3) return { name, unseen: `has a ring of contrast ${contrast.toFixed(1)}` };
  const box = shown.getBoundingClientRect(), high = innerHeight;
  if (box.height < high - 200 && (box.top < 0 || box.bottom > high)) return { name, unseen: `is outside: ${box.top} to ${box.bottom} of ${high}` };
  const [top, bottom] = [Math.max(box.top, 0) + 2, Math.min(box.bottom, high) - 2];
  const above = [[box.left + 3, top], [box.right - 3, top], [box.left + 3, bottom], [box.right - 3, bottom]].map(([x, y]) => document.elementFromPoint(x, y))
    .find((x) => x && !shown.parentElement.contains(x) && !x.contains(shown));
  return { name, unseen: above ? `is under ${above.tagName.toLowerCase()} ${above.className}` : null };
}

async function stop(page) {
  const at = await page.evaluate(focused);
  expect(!at.unseen, `the focus is not seen: ${at.name} ${at.unseen}`);
  return at.name;
}

const has = (target) => target.evaluate((e) => e === document.activeElement);

/** Presses the key until the control has the focus. */
export async function reach(page, target, key = "Tab", most = 90) {
  await target.waitFor();
  // A dialog takes the focus a moment after it is drawn, and what covers the page fades away a moment after it is closed.
  await page.waitForFunction(() => !document.querySelector(".mantine-Overlay-root") || document.activeElement?.closest("[role=dialog]"), null, { timeout: 3000 })
    .catch(() => undefined);  // a dialog whose focused button went with its step: Tab leads into it again
  const met = [];
  for (let i = 0; i < most; i++) {
    met.push(await stop(page));
    if (await has(target)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${key} does not reach ${target}; it met ${[...new Set(met)].join(" | ")}`);
}
export async function write(page, target, text) {
  await reach(page, target);
  await page.keyboard.type(text);
}
export async function press(page, target, key = "Enter") {
  await reach(page, target);
  await page.keyboard.press(key);
}

/** A dialog is there and has the focus, which comes to it a moment after it is drawn. */
export async function opened(page, dialog) {
  await dialog.waitFor();
  await page.waitForFunction((e) => e.contains(document.activeElement), await dialog.elementHandle());
}

/** What covered the page has faded away. */
export const uncovered = (page) => page.waitForFunction(() => !document.querySelector(".mantine-Overlay-root"));

/** Opens a dialog by its button: the focus is in it, stays in it, and Escape gives it back to the button. */
export async function dialogOf(page, button, dialog) {
  await press(page, button);
  await opened(page, dialog);
  const inside = () => dialog.evaluate((e) => e.contains(document.activeElement));
  for (let i = 0; i < 12; i++) {
    await stop(page);
    expect(await inside(), "Tab leaves the dialog");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Escape");
  await uncovered(page);
  await page.waitForFunction((b) => b === document.activeElement, await button.elementHandle(), { timeout: 3000 })
    .catch(() => { throw new Error("Escape does not give the focus back"); });
}

/** Walks once around the page: each of its controls is met, and seen. What comes up meanwhile does not count. */
export async function walk(page) {
  await page.evaluate(() => {
    const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    window.met = new Set();
    window.unmet = () => [...document.querySelectorAll(all)].filter((e) => !window.met.has(e) && e.checkVisibility({ checkVisibilityCSS: true })
      && !e.disabled && e.getAttribute("role") !== "tab" && e.type !== "radio");  // of a group, one by Tab and the others by arrows
    window.there = window.unmet();
  });
  for (let i = 0; i < 400; i++) {
    await page.keyboard.press("Tab");
    await stop(page);
    if (await page.evaluate(() => {
      const e = document.activeElement, again = window.met.has(e);
      window.met.add(e);
      return again && e !== document.body && e.type !== "date";  // a date has several stops
    })) break;
  }
  const missed = await page.evaluate(() => window.unmet().filter((e) => window.there.includes(e))
    .map((e) => e.getAttribute("aria-label") || e.textContent.trim().slice(0, 40) || e.outerHTML.slice(0, 80)));
  expect(missed.length === 0, `Tab does not meet: ${missed.join(" | ")}`);
}
