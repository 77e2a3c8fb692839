// Text from outside (servers, models, people) as text and nothing else. Characters that cannot be
// seen, or that reorder what is seen, are shown as their code points.
import type { ReactNode } from "react";

const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]|[^\S ]/u;
const notAscii = /[^\x20-\x7e]/u;

const codePoint = (c: string) => `U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;

function mark(text: string, test: RegExp, lines: boolean): ReactNode[] {
  const out: ReactNode[] = [];
  let plain = "";
  for (const c of text) {
    if (!test.test(c) || (lines && (c === "\n" || c === "\t"))) { plain += c; continue; }
    if (plain) out.push(plain);
    plain = "";
    out.push(<span className="cp" key={out.length}>{codePoint(c)}</span>);
  }
  if (plain) out.push(plain);
  return out;
}

export function Foreign({ text, lines = false }: { text: string; lines?: boolean }) {
  return <bdi className={lines ? "foreign lines" : "foreign"}>{mark(text, hidden, lines)}</bdi>;
}

/** Exact bytes: everything that is not printable ASCII shows as a code point, nothing is cut. */
export function ExactBytes({ text }: { text: string }) {
  return <bdi dir="ltr" className="foreign lines">{mark(text, notAscii, false)}</bdi>;
}
