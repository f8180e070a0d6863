/** An error as a person wants to see it: the hint large, what to do about it, and for the support the number and the request id small. */

import { Code } from "@connectrpc/connect";
import { make } from "./dom";
import type { Failure } from "./errors";
import type { Word } from "./words";

/** What a call ends with that did not get through; Unknown is what becomes of fetch's own errors. */
const UNREACHABLE = [Code.Unavailable, Code.DeadlineExceeded, Code.Unknown];

export interface Remedy {
  word: Word;
  act: () => void;
}

export function notice(failure: Failure, word: (name: Word) => string, remedy?: Remedy): HTMLElement {
  const shown = make("div", { className: "notice" });
  // The server's hint, else our own words: of a failure that came from elsewhere there is none.
  const text = failure.hint ?? word(UNREACHABLE.includes(failure.status) ? "unreachable" : "unknown");
  shown.append(make("p", { className: "hint", lang: failure.hint ? (failure.locale ?? "") : document.documentElement.lang }, text));
  if (failure.requestId) shown.append(make("p", {}, word("notYourFault")));
  if (remedy) shown.append(make("button", { type: "button", onclick: remedy.act }, word(remedy.word)));
  const small = make("p", { className: "small" });
  small.append(make("span", {}, failure.reason ? `${failure.number} · ${failure.reason}` : Code[failure.status]));
  if (failure.requestId) small.append(make("span", {}, `${word("requestId")} `, make("code", {}, failure.requestId)));
  shown.append(small);
  return shown;
}
