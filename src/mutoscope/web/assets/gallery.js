// The gallery, the library and the trash: new items slide in at the top, more come at the end.

import { fragment, json, say } from "./ask.js";
import { onEvent } from "./live.js";
import { Rows } from "./rows.js";
import { paint } from "./thumbhash.js";

const TOGETHER_MS = 250;
const HOVER_MS = 120;
const still = matchMedia("(prefers-reduced-motion: reduce)");

class Card extends HTMLElement {
  connectedCallback() {
    paint(this);
    this.addEventListener("pointerenter", this.wake);
    this.addEventListener("pointerleave", this.rest);
    this.addEventListener("focusin", this.wake);
    this.addEventListener("focusout", this.rest);
  }

  wake = () => {
    if (!this.dataset.preview || still.matches || this.film) return;
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      this.film = Object.assign(document.createElement("video"), { src: this.dataset.preview, loop: true, playsInline: true });
      this.film.muted = true;
      this.film.setAttribute("aria-hidden", "true");
      this.querySelector("img")?.after(this.film);
      this.film.play().catch(() => this.rest());
    }, HOVER_MS);
  };

  rest = () => {
    clearTimeout(this.later);
    this.film?.remove();
    this.film = null;
  };
}

class Gallery extends HTMLElement {
  connectedCallback() {
    this.changed = new Set();
    this.end = onEvent(({ kind, id }) => {
      if (kind !== "media" && kind !== "resync") return;
      this.changed.add(id);
      this.later ??= setTimeout(() => this.refresh(), TOGETHER_MS);
    });
    this.pages = 0;
    this.rows = new Rows(this, () => this.behind && this.refresh());
    addEventListener("pagehide", this.leave);
    this.comeBack();
  }

  disconnectedCallback() {
    this.end();
    this.rows.end();
    removeEventListener("pagehide", this.leave);
    this.eye?.disconnect();
  }

  async refresh() {
    const ids = [...this.changed].filter(Boolean);
    this.changed.clear();
    try {
      const url = new URL(location.href);
      // A page further down has no top where something could slide in; only what is gone is taken out.
      this.behind = this.rows.above.rows.length > 0;
      if (!this.behind && !url.searchParams.has("cursor")) this.merge((await fragment(url)).part);
      await Promise.all(ids.map((id) => this.dropIfGone(id)));
    } catch (error) {
      if (error.status === 401) location.reload();
    } finally {
      this.later = null;
      if (this.changed.size) this.later = setTimeout(() => this.refresh(), TOGETHER_MS);
    }
  }

  merge(part) {
    const cards = [...part.querySelectorAll("mu-card")];
    this.shown = new Set(cards.map(({ id }) => id));
    let next = null, fresh = 0;
    for (const card of cards.reverse()) {
      const old = document.getElementById(card.id);
      if (!old) {
        card.classList.add("arriving");
        if (next) next.before(card);
        else this.prepend(card);
        fresh++;
      } else if (old.dataset.version !== card.dataset.version) this.renew(old, card);
      next = document.getElementById(card.id);
    }
    if (fresh) {
      document.querySelector("[data-empty]")?.remove();
      say(fresh === 1 ? "Something new has arrived" : `${fresh} new items have arrived`);
    }
  }

  renew(old, card) {
    const had = old.contains(document.activeElement);
    old.replaceWith(card);
    if (had) card.querySelector("a").focus();
  }

  async dropIfGone(id) {
    if (!this.rows.has(id) || this.shown?.has(id)) return;
    const { status, body } = await json(`/api/media/${id}`);
    const trashed = Boolean(body.trashed_at);
    const here = { gallery: !trashed && body.visibility === "public", library: !trashed, trash: trashed, likes: body.liked && !trashed }[this.dataset.scope];
    if (status === 404 || (status === 200 && !here)) this.rows.drop(id);
  }

  leave = () => sessionStorage.setItem(location.href, JSON.stringify([this.pages, scrollY]));

  /** Browsers keep no page that is private: on the way back, what had been scrolled through is fetched again. */
  async comeBack() {
    const [{ type } = {}] = performance.getEntriesByType("navigation");
    const [pages, y] = (type === "back_forward" && JSON.parse(sessionStorage.getItem(location.href))) || [0, 0];
    for (let page = 0; page < pages; page++) await this.extend();
    if (pages) scrollTo(0, y);
    this.watch();
  }

  watch() {
    const more = this.querySelector(".more");
    if (!more || !("IntersectionObserver" in window)) return;
    this.eye = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && this.goOn(), { rootMargin: "900px" });
    this.eye.observe(more);
  }

  async goOn() {
    this.eye.disconnect();
    if (await this.extend()) this.watch();
  }

  async extend() {
    const more = this.querySelector(".more");
    if (!more) return false;
    try {
      const { part } = await fragment(more.href);
      for (const card of part.querySelectorAll("mu-card")) if (this.rows.has(card.id)) card.remove();
      this.rows.restoreBelow();
      more.replaceWith(part);
      this.pages++;
      return true;
    } catch (error) {
      say(error.message); // The link is still there.
      return false;
    }
  }
}

customElements.define("mu-card", Card);
customElements.define("mu-gallery", Gallery);
