// What every page has: the live line, the balance, the keys, copying.

import { json, say } from "./ask.js";
import "./composer.js";
import "./gallery.js";
import "./jobs.js";
import { onEvent, start } from "./live.js";
import { paint } from "./thumbhash.js";
import { unlockInPlace } from "./unlock.js";
import { countView } from "./view.js";

const TICK_MS = 20_000;
const SPANS = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "min"]];
const ahead = Date.now() - Number(document.documentElement.dataset.now); // of the server's clock

const PLACES = { c: "/create", g: "/", l: "/library" };

class Balance extends HTMLElement {
  connectedCallback() {
    this.end = onEvent(({ kind }) => ["tokens", "resync"].includes(kind) && this.look());
  }

  disconnectedCallback() {
    this.end();
  }

  async look() {
    const { status, body } = await json("/api/tokens");
    if (status !== 200) return;
    const show = (element, count) => element && (element.textContent = count.toLocaleString("en"));
    show(this.querySelector("b"), body.available);
    show(document.querySelector("[data-available]"), body.available);
    show(document.querySelector("[data-held]"), body.held);
  }
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open], video")) return;
  const search = document.getElementById("q");
  if (event.key === "?") document.getElementById("keys").showModal();
  else if (event.key === "/" && search) search.focus();
  else if (event.key === "/") location.assign("/");
  else if (event.key === "c" && location.pathname === "/create") document.getElementById("prompt").focus();
  else if (PLACES[event.key]) location.assign(PLACES[event.key]);
  else return;
  event.preventDefault();
}

async function copy(button) {
  const text = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(text.textContent);
  say("Copied.");
}

/** As words.ago says it on the server. */
function ago(moment) {
  const passed = Date.now() - ahead - Date.parse(moment);
  const [span, name] = SPANS.find(([span]) => passed >= span) ?? [];
  if (!span) return "just now";
  const count = Math.floor(passed / span);
  return `${count} ${name}${count > 1 && name !== "min" ? "s" : ""} ago`;
}

function tick() {
  for (const time of document.querySelectorAll("time")) time.textContent = ago(time.dateTime);
}

/** What the page's content needs to be alive; again when it was replaced. */
function dress(main) {
  paint(main);
  for (const button of main.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", () => copy(button));
  }
  for (const form of main.querySelectorAll("[data-unlock]")) unlockInPlace(form, dress);
}

customElements.define("mu-balance", Balance);
dress(document.querySelector("main"));
countView(document.querySelector("[data-view]"));
document.addEventListener("keydown", key);
setInterval(tick, TICK_MS);
start();
