// One's jobs: each card follows its job, and ends with the film itself.

import { fragment, json, say } from "./ask.js";
import { onEvent } from "./live.js";

const TICK_MS = 400;
const ENDED = ["succeeded", "failed", "canceled"];
const WORDS = { succeeded: "is done", failed: "failed; your tokens are back", canceled: "was canceled" };

class Jobs extends HTMLElement {
  connectedCallback() {
    this.busy = new Map();
    this.began = new WeakMap();
    this.end = onEvent(({ kind, id }) => {
      if (kind === "generation") this.follow(id);
      if (kind === "resync") this.catchUp();
    });
    this.addEventListener("submit", this.act);
    this.clock = setInterval(() => this.tick(), TICK_MS);
  }

  disconnectedCallback() {
    this.end();
    clearInterval(this.clock);
  }

  /** Fetch a card again; one request at a time for each job, and one more when something happened meanwhile. */
  async follow(id) {
    if (this.busy.has(id)) return this.busy.set(id, true);
    this.busy.set(id, false);
    try {
      this.place((await fragment(`/jobs/${id}`)).part);
    } catch (error) {
      if (error.status === 401) location.reload();
    }
    const again = this.busy.get(id);
    this.busy.delete(id);
    if (again) this.follow(id);
  }

  async catchUp() {
    const { body } = await json("/api/generations?limit=12");
    const open = [...this.querySelectorAll(".job")].filter(({ dataset }) => !ENDED.includes(dataset.status));
    const known = (body.items ?? []).filter(({ id, version }) => document.getElementById(id)?.dataset.version !== String(version));
    for (const id of new Set([...open, ...known.reverse()].map(({ id }) => id))) this.follow(id);
  }

  /** Put a card where it belongs: in the place of its older self, or first. */
  place(part) {
    const card = part.querySelector(".job");
    const old = document.getElementById(card.id);
    if (!old) {
      document.querySelector(".create [data-empty]")?.remove();
      card.classList.add("arriving");
      this.prepend(card);
    } else if (Number(card.dataset.version) >= Number(old.dataset.version)) this.renew(old, card);
    return card;
  }

  renew(old, card) {
    if (old.dataset.stage === card.dataset.stage && card.querySelector("progress") && old.querySelectorAll("form").length === card.querySelectorAll("form").length) {
      old.dataset.version = card.dataset.version;
      for (const part of [".stage", "progress"]) {
        const [was, is] = [old.querySelector(part), card.querySelector(part)];
        if (part === "progress" && is.hasAttribute("value")) was.value = is.value;
        else if (part === ".stage") was.replaceWith(is);
      }
      return this.began.delete(old);
    }
    const had = old.contains(document.activeElement), was = old.dataset.status;
    old.replaceWith(card);
    if (had) (card.querySelector("button, a") ?? card).focus();
    if (was !== card.dataset.status && ENDED.includes(card.dataset.status)) this.finished(card);
  }

  finished(card) {
    say(`“${card.querySelector(".ask").textContent.slice(0, 60)}” ${WORDS[card.dataset.status]}`);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still) card.querySelector("video")?.play().catch(() => {});
  }

  act = async (event) => {
    const form = event.target.closest("form[data-job]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      this.place((await fragment(form.action, { method: "POST" })).part).scrollIntoView({ block: "nearest" });
    } catch (error) {
      say(error.message);
    }
    button.disabled = false;
  };

  /** Between two events an estimate goes on by the clock. */
  tick() {
    for (const job of this.querySelectorAll("[data-usual]")) {
      const bar = job.querySelector("progress"), percent = job.querySelector("[data-percent]");
      if (!bar || !percent) continue;
      if (!this.began.has(job)) this.began.set(job, { at: performance.now(), from: bar.value });
      const { at, from } = this.began.get(job);
      bar.value = Math.min(0.95, from + (performance.now() - at) / 1000 / Math.max(1, Number(job.dataset.usual)));
      percent.textContent = `${Math.floor(bar.value * 100)} %`;
    }
  }
}

customElements.define("mu-jobs", Jobs);
