"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const root = document.documentElement;
const form = $("#search");
const box = form.elements.q;
const filters = $$("select", form);
const words = JSON.parse($("#words").textContent);
const cards = $$("article");
const groups = $$(".group"); // the browser draws only the groups near the window
const sections = $$("section");
const fold = (text) => text.normalize("NFKC").toLowerCase();
const settings = new URL(location.href).searchParams;

/** The searchable text of each card. It is read when the page is idle, or at the first search. */
const haystacks = [];
function read(until = cards.length) {
  for (let i = haystacks.length; i < until; i++) {
    const texts = $$(".t", cards[i]).map((element) => element.textContent);
    haystacks.push(fold([cards[i].id, cards[i].dataset.status, ...texts].join("\n")));
  }
}
function readOn() {
  read(Math.min(haystacks.length + 1000, cards.length));
  if (haystacks.length < cards.length) setTimeout(readOn);
}

/** The word in the chosen language of the page. */
let chinese = 0;
const word = (key) => words[key][chinese];

/** Keeps the settings in the address, so that a link to the page has them. It stores nothing. It waits, because it takes longer than a search. */
let later;
function keep(values) {
  for (const [name, value] of Object.entries(values)) {
    if (value) settings.set(name, value);
    else settings.delete(name);
  }
  clearTimeout(later);
  later = setTimeout(() => {
    const address = new URL(location.href);
    address.search = settings;
    try {
      history.replaceState(null, "", address);
    } catch {} // in a frame without an origin
  }, 250);
}

/** Shows the cards that match the search and the filters. If no card has the whole text, each word must match. */
function search() {
  read();
  const parts = fold(box.value).split(/\s+/).filter(Boolean);
  const phrase = parts.join(" ");
  const terms = haystacks.some((haystack) => haystack.includes(phrase)) ? [phrase].filter(Boolean) : parts;
  const wanted = filters.filter((filter) => filter.value).map((filter) => [filter.name, filter.value]);
  const isWanted = ([name, value], card) => (name === "catalogue" ? card.closest("section") : card).dataset[name] === value;
  const found = [];
  let next = 0;
  for (const section of sections) section.hidden = true;
  for (const group of groups) {
    const before = found.length;
    const fits = [...group.children].map((card) => {
      const haystack = haystacks[next++];
      const isFound = terms.every((term) => haystack.includes(term)) && wanted.every((each) => isWanted(each, card));
      if (isFound) found.push(card);
      return isFound;
    });
    const shown = found.length - before;
    group.hidden = !shown;
    if (!shown) continue; // its cards stay as they are
    group.parentElement.hidden = false;
    group.style.setProperty("--shown", shown);
    fits.forEach((isFound, i) => (group.children[i].hidden = !isFound));
  }
  $("#none").hidden = found.length > 0;
  $("#count").textContent = word("of").replace("{shown}", found.length).replace("{all}", cards.length);
  for (const filter of filters) filter.classList.toggle("set", filter.value !== "");
  mark(terms, found.slice(0, 50));
}

/** Marks the searched text in the first cards. */
function mark(terms, found) {
  if (!globalThis.CSS?.highlights) return;
  CSS.highlights.delete("found");
  const ranges = [];
  for (const card of terms.length ? found : []) {
    for (const { firstChild: text } of $$(".t", card)) {
      const folded = fold(text.data);
      if (folded.length !== text.length) continue; // the places differ
      for (const term of terms) {
        for (let at = folded.indexOf(term); at >= 0; at = folded.indexOf(term, at + term.length)) {
          const range = new Range();
          range.setStart(text, at);
          range.setEnd(text, at + term.length);
          ranges.push(range);
        }
      }
    }
  }
  if (ranges.length) CSS.highlights.set("found", new Highlight(...ranges));
}

function clear() {
  form.reset();
  keep(Object.fromEntries(new FormData(form)));
  search();
}

/** Translates the words of a part of the page. */
function translate(part) {
  for (const element of $$("[data-w]", part)) element.textContent = word(element.dataset.w);
}

/** Cards change their language when they come near the window. To change thousands at once would take long. */
const near = new Set();
const languages = new Map();
function turn(group) {
  if ((languages.get(group) ?? 0) !== chinese) translate(group);
  languages.set(group, chinese);
}
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) turn(target);
      near[isIntersecting ? "add" : "delete"](target);
    }
  },
  { rootMargin: "1000px" },
);

/** Shows the hints in a language, and the page's own words in Chinese or English. */
function speak(number) {
  const tag = $("#language").options[number].lang;
  const before = chinese;
  chinese = Number(tag.toLowerCase().split("-")[0] === "zh");
  root.dataset.locale = number;
  root.lang = chinese ? "zh-CN" : "en";
  $("#language").value = number;
  if (chinese === before) return;
  for (const part of $$("body > :not(main), #none, section > header")) translate(part);
  for (const element of $$("body > [data-w]")) element.textContent = word(element.dataset.w);
  near.forEach(turn);
  for (const element of $$("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
  box.placeholder = word("search");
}

function spoken() {
  const tags = $$("option", $("#language")).map((option) => option.lang.toLowerCase());
  for (const wanted of [settings.get("lang") ?? "", ...navigator.languages]) {
    const whole = tags.indexOf(wanted.toLowerCase());
    if (whole >= 0) return whole;
    const language = tags.findIndex((tag) => tag.split("-")[0] === wanted.toLowerCase().split("-")[0]);
    if (language >= 0) return language;
  }
  return 0;
}

function dress(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  $("#theme").setAttribute("aria-pressed", String(isDark()));
}
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

/** Goes to the code that the address names. If a search hides it, clears the search. */
function go() {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {} // as it is
  const card = document.getElementById(id);
  if (card?.tagName !== "ARTICLE") return;
  if (card.closest("[hidden]")) clear();
  card.scrollIntoView();
  requestAnimationFrame(() => card.scrollIntoView()); // again, after the cards nearby are drawn and have their height
}

for (const option of $("#language").options) {
  try {
    option.textContent = new Intl.DisplayNames([option.lang], { type: "language", languageDisplay: "standard" }).of(option.lang);
  } catch {} // the tag stays
}
$("#language").addEventListener("change", (event) => {
  speak(Number(event.target.value));
  keep({ lang: event.target.selectedOptions[0].lang });
  search();
});
$("#theme").addEventListener("click", () => {
  dress(isDark() ? "light" : "dark");
  keep({ theme: root.dataset.theme });
});
system.addEventListener("change", () => dress());
$("#more").addEventListener("click", ({ target }) => target.setAttribute("aria-expanded", String(target.ariaExpanded !== "true")));
$("#clear").addEventListener("click", () => {
  clear();
  box.focus();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  search();
  keep(Object.fromEntries(new FormData(form)));
});
addEventListener("hashchange", go);
addEventListener("beforeprint", () => groups.forEach(turn));

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.closest("input, select, textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "Escape" && !event.target.closest("select")) {
    clear();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (event.target === box || event.target.closest("h3"))) {
    event.preventDefault();
    const stops = [box, ...$$("article:not([hidden], [hidden] *) h3 a")];
    stops[stops.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("h3 a");
  if (!link || !navigator.clipboard) return;
  const address = new URL(link.href);
  address.search = "";
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    return; // the address bar has the link
  }
  $("#said").textContent = word("copied");
  setTimeout(() => ($("#said").textContent = ""), 2000);
});

form.hidden = $("#tools").hidden = false;
for (const field of [box, ...filters]) field.value = settings.get(field.name) ?? "";
for (const filter of filters) if (filter.selectedIndex < 0) filter.value = "";
dress(settings.get("theme"));
speak(spoken());
if ([box, ...filters].some((field) => field.value)) search();
else $("#count").textContent = word("of").replace("{shown}", cards.length).replace("{all}", cards.length);
setTimeout(readOn);
for (const group of groups) watcher.observe(group);
go();
