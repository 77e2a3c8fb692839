// Numbers and times for people.
const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(n: number): string {
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return `${n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}
export const rate = (n: number) => `${bytes(n)}/s`;
export const percent = (ratio: number) => `${Math.round(ratio * 100)} %`;
export const part = (used: number, total: number) => (total > 0 ? used / total : 0);

export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}
export function ago(at: string, now: number): string {
  const s = Math.floor((now - Date.parse(at)) / 1000);
  if (Number.isNaN(s)) return "";
  const span = (n: number) => (n < 120 ? `${n} s` : n < 7200 ? `${Math.floor(n / 60)} min` : n < 172800 ? `${Math.floor(n / 3600)} h` : `${Math.floor(n / 86400)} days`);
  if (s <= -60) return `in ${span(-s)}`;  // an end; some seconds are two clocks
  return s < 5 ? "just now" : `${span(s)} ago`;
}
export const absolute = (at: string) => {
  const d = new Date(at);
  return Number.isNaN(d.getTime()) ? at : d.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
};
/** Whatever a server sends where a text is expected, as text. */
export function asText(v: unknown): string {
  if (v === null || v === undefined) return "";
  if (typeof v === "string") return v;
  return JSON.stringify(v, null, 2);
}
