// The whole of an export: the server gives it in pieces, each of which says where the next begins.
import { getPiece } from "./api";

export type Format = "csv" | "bundle";
const types: Record<Format, string> = { csv: "text/csv", bundle: "application/jsonl" };

// A bundle's piece that is not the last ends in a line that says where to go on; that line is not of the bundle.
const withoutLastLine = (text: string) => text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1);

/** Tells what share of the log was gone through so far, 0 to 1. */
export async function wholeExport(filters: string, format: Format, progress: (share: number) => void): Promise<Blob> {
  const query = new URLSearchParams(filters);
  query.set("format", format);
  const pieces: Blob[] = [];
  for (;;) {
    const { text, next } = await getPiece(`/audit/export?${query}`);
    pieces.push(new Blob([next && format === "bundle" ? withoutLastLine(text) : text]));
    if (!next) return new Blob(pieces, { type: types[format] });
    query.set("place", next);
    const [from, size] = next.split(".").map(Number);
    progress((from ?? 0) / (size || 1));
  }
}

export function save(what: Blob, name: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(what);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
