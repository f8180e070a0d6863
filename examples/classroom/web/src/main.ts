/** The page: what is pressed, what is called, what is shown. */

import { connect } from "./client";
import { choose, chosen, find, make } from "./dom";
import { type Failure, is, read } from "./errors";
import type { Room } from "./gen/v1/classroom_pb";
import { notice, type Remedy } from "./notice";
import { USERS, type Word, WORDS } from "./words";

let user = "chen";
let language = navigator.language.startsWith("zh") ? "zh-CN" : "en-US";
let client = connect({ user, language });
let room: Room | undefined;
let feed = new AbortController();
let busy = false;

const word = (name: Word) => WORDS[language]![name];
const called = (name: string) => USERS[name]?.[language] ?? name;
const nameField = find<HTMLInputElement>("name");

// What can be done. Each may fail; `attempt` shows how.

async function create(roomUuid: string): Promise<void> {
  const response = await client.createRoom({ roomUuid, configId: chosen("config") });
  enter(response.room!);
  say(word("opened"));
}

async function join(roomUuid: string): Promise<void> {
  try {
    enter((await client.joinRoom({ roomUuid, role: chosen("role") })).room!);
  } catch (error) {
    // Already in, perhaps on another page: then this one shows the room, too.
    if (!is(read(error), "ROOM_MEMBER_EXIST")) throw error;
    enter((await client.getRoom({ roomUuid })).room!);
  }
  say(word("joined"));
}

async function leave({ roomUuid }: Room): Promise<void> {
  await client.leaveRoom({ roomUuid, userUuid: user });
  exit();
  say(word("left"));
}

async function sit({ roomUuid }: Room, number: number): Promise<void> {
  const { seat } = await client.takeSeat({ roomUuid, number });
  say(`${word("seated")} ${seat?.number}`);
}

async function occupancy({ roomUuid }: Room): Promise<void> {
  const { percent } = await client.getOccupancy({ roomUuid });
  say(`${word("full")} ${percent} %`);
}

/** Shows what happens in the room, until it is left or the server ends it and says why. */
async function watch({ roomUuid }: Room, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of client.watchRoom({ roomUuid }, { signal, timeoutMs: 0 })) {
      const now = (await client.getRoom({ roomUuid }, { signal })).room;
      if (signal.aborted) return;
      showRoom((room = now));
      find("live").hidden = false;
    }
    if (!signal.aborted) exit(); // left on another page
  } catch (error) {
    if (signal.aborted) return;
    exit();
    show("outside-notice", read(error));
  }
}

/** One call at a time: another press while it runs does nothing. */
async function attempt(where: string, action: () => Promise<void>, remedy?: (failure: Failure) => Remedy | undefined): Promise<void> {
  if (busy) return;
  busy = true;
  clear();
  try {
    await action();
  } catch (error) {
    const failure = read(error);
    show(where, failure, remedy?.(failure));
  } finally {
    busy = false;
  }
}

function tryCreate(): void {
  const name = nameField.value.trim();
  void attempt("create-notice", () => create(name), (failure) => (is(failure, "CONFLICT") ? { word: "joinIt", act: tryJoin } : undefined));
}

function tryJoin(): void {
  const name = nameField.value.trim();
  void attempt("join-notice", () => join(name), (failure) => (is(failure, "ROOM_NOT_EXIST") ? { word: "openIt", act: tryCreate } : undefined));
}

function tryInRoom(action: (room: Room) => Promise<void>): void {
  const current = room;
  if (current) void attempt("room-notice", () => action(current));
}

// What is shown.

function enter(entered: Room): void {
  feed.abort();
  feed = new AbortController();
  find("live").hidden = true;
  showRoom((room = entered));
  void watch(entered, feed.signal);
  find("room-title").focus();
}

function exit(): void {
  feed.abort();
  showRoom((room = undefined));
}

function clear(): void {
  for (const place of document.querySelectorAll('[role="alert"]')) place.replaceChildren();
  nameField.removeAttribute("aria-invalid");
  say("");
}

function say(text: string): void {
  find("status").textContent = text;
}

function show(where: string, failure: Failure, remedy?: Remedy): void {
  const shown = notice(failure, word, remedy);
  find(where).replaceChildren(shown);
  shown.scrollIntoView({ block: "nearest" });
  if (failure.fields.includes("room_uuid")) {
    nameField.setAttribute("aria-invalid", "true");
    nameField.focus();
  }
}

function showRoom(shown: Room | undefined): void {
  find("outside").hidden = shown !== undefined;
  find("inside").hidden = shown === undefined;
  find("room-title").textContent = shown?.roomUuid ?? "";
  if (!shown) return;
  find("room-kind").textContent = word(shown.configId === "lecture" ? "lecture" : "smallClass");
  find("no-seats").hidden = shown.seats.length > 0;
  const seats = find("seats");
  const focused = [...seats.children].findIndex((seat) => seat === document.activeElement);
  seats.replaceChildren(
    ...shown.seats.map(({ number, userUuid }) => {
      const who = userUuid ? [avatar(userUuid), called(userUuid)] : [make("span", { className: "chair" }), word("free")];
      const button = make("button", { className: userUuid ? "seat taken" : "seat" }, make("small", {}, `${word("seat")} ${number} `), ...who);
      button.onclick = () => tryInRoom((current) => sit(current, number));
      return button;
    }),
  );
  (seats.children[focused] as HTMLElement | undefined)?.focus();
  find("members").replaceChildren(
    ...shown.members.map(({ userUuid, role }) => {
      const name = userUuid === user ? `${called(userUuid)} (${word("you")}) ` : `${called(userUuid)} `;
      return make("li", {}, avatar(userUuid), name, make("small", {}, word(role === "host" ? "host" : "student")));
    }),
  );
}

function avatar(name: string): HTMLElement {
  const shown = make("span", { className: `avatar ${name in USERS ? name : ""}` }, [...called(name)][0] ?? "");
  shown.ariaHidden = "true";
  return shown;
}

function showWords(): void {
  document.documentElement.lang = language;
  document.title = word("title");
  for (const element of document.querySelectorAll<HTMLElement>("[data-word]")) element.textContent = word(element.dataset.word as Word);
  const options = Object.keys(USERS).map((name) => new Option(called(name), name, false, name === user));
  find<HTMLSelectElement>("user").replaceChildren(...options, new Option(word("nobody"), "", false, user === ""));
  choose("language", language);
}

find<HTMLFormElement>("lobby").onsubmit = (event) => {
  event.preventDefault();
  const pressed = event.submitter as HTMLButtonElement | null;
  if (pressed?.value === "create") tryCreate();
  else tryJoin();
};
find("leave").onclick = () => tryInRoom(leave);
find("sit").onclick = () => tryInRoom((current) => sit(current, 0));
find("occupancy").onclick = () => tryInRoom(occupancy);
find<HTMLSelectElement>("user").onchange = (event) => {
  user = (event.target as HTMLSelectElement).value;
  client = connect({ user, language });
  clear();
  exit();
};
for (const button of document.querySelectorAll<HTMLInputElement>('input[name="language"]')) {
  button.onchange = () => {
    language = button.value;
    client = connect({ user, language });
    clear(); // what the server said, it said in the other language
    showWords();
    showRoom(room);
  };
}
showWords();
showRoom(room);
