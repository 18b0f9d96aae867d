// The order form: the price on the button, a source picture by drop and paste, and ordering without leaving the page.

import { fragment, json, say } from "./ask.js";
import { onEvent } from "./live.js";

const QUOTE_MS = 150;
const PLAIN = ["prompt", "negative_prompt", "visibility"];

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a picture becomes for a model that takes these sizes, or at most that side: as in domain/source.py. */
function fitted(width, height, { sizes, side }) {
  const longer = Math.max(width, height);
  const scaled = (length) => Math.max(1, Math.floor((2 * length * side + longer) / (2 * longer)));
  if (!sizes) return longer > side ? { wide: scaled(width), high: scaled(height) } : null;
  let best;
  for (const size of sizes.split(" ")) {
    const [wide, high] = size.split("x").map(Number), ratios = [width * high, height * wide];
    const off = Math.max(...ratios) / Math.min(...ratios);
    if (!best || off < best.off || (off === best.off && wide * high > best.wide * best.high)) best = { wide, high, off, crop: off !== 1 };
  }
  return best;
}

class Composer extends HTMLElement {
  connectedCallback() {
    this.form.addEventListener("input", this.changed);
    this.addEventListener("change", ({ target }) => target.name === "image" && this.preview());
    this.addEventListener("load", ({ target }) => target.closest(".picked") && this.frame(), true);
    this.addEventListener("submit", this.order);
    this.addEventListener("click", this.clicked);
    this.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
    this.end = onEvent(({ kind }) => (kind === "model" || kind === "resync") && this.renewModels());
    document.addEventListener("paste", this.pasted);
    for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, this.dragged);
    this.fit();
    this.price();
  }

  disconnectedCallback() {
    this.end();
    document.removeEventListener("paste", this.pasted);
    for (const kind of ["dragover", "dragleave", "drop"]) document.removeEventListener(kind, this.dragged);
  }

  get form() { return this.querySelector("form"); }
  get file() { return this.form.elements.image; }
  get model() { return this.form.querySelector("input[name=model]:checked"); }

  changed = () => {
    this.fit();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.price(), QUOTE_MS);
  };

  /** The fields of models that are not chosen are not sent; where none is chosen, nothing is. */
  fit() {
    this.querySelector(".go").disabled = !this.model;
    for (const own of this.querySelectorAll(".own"))
      own.disabled = !own.parentElement.querySelector("input[name=model]").checked;
    this.frame();
  }

  /** The picture as the chosen model will get it, and the words for that. */
  frame() {
    const model = this.model?.dataset ?? {}, picture = this.querySelector(".picked:not([hidden]) img");
    // The size is that of the original: of a picture from the gallery a smaller one is shown.
    const width = picture?.getAttribute("width") || picture?.naturalWidth, height = picture?.getAttribute("height") || picture?.naturalHeight;
    const fit = width && fitted(+width, +height, model);
    this.querySelector("[data-fit]").textContent = fit?.wide
      ? `${fit.crop ? "Cropped" : "Scaled"} to ${fit.wide} × ${fit.high} for this model`
      : model.takes && !picture ? `For this model it is ${model.takes}.` : "";
    picture?.classList.toggle("framed", Boolean(fit?.crop));
    if (fit?.crop) picture.style.setProperty("--r", fit.wide / fit.high);
  }

  wish() {
    const { form, model } = this, wish = { model: model.value, parameters: {}, category_selections: {} };
    for (const name of PLAIN) if (form.elements[name]?.value) wish[name] = form.elements[name].value;
    if (!("negative" in model.dataset)) delete wish.negative_prompt;
    for (const field of form.querySelectorAll(".own:enabled :is(input, select)")) {
      const name = field.name.slice(model.value.length + 1);
      const value = field.type === "checkbox" ? field.checked : field.type === "number" ? field.valueAsNumber : field.value;
      if (name === "results") wish.results = value;
      else wish.parameters[name] = value;
    }
    // What is still to be written does not change the price.
    if (model.dataset.prompt === "required") wish.prompt ||= "?";
    return wish;
  }

  async price() {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    if (!this.model) return (this.form.querySelector("[data-price]").textContent = "· choose a model");
    const { status, body } = await json("/api/quotes", this.wish());
    if (status !== 200 || asked !== this.asked) return;
    this.form.elements.shown.value = body.tokens;
    this.form.querySelector("[data-price]").textContent = `· ${body.tokens.toLocaleString("en")} token${body.tokens === 1 ? "" : "s"}`;
  }

  order = async (event) => {
    event.preventDefault();
    if (this.sending || !this.model) return;
    this.sending = true;
    const button = this.form.querySelector(".go");
    button.disabled = true;
    try {
      const { status, part } = await fragment(this.form.action, { method: "POST", body: new FormData(this.form) });
      if (status === 201) this.ordered(part);
      else this.refused(part);
    } catch (error) {
      say(error.message);
    }
    this.sending = false;
    this.fit();
  };

  ordered(part) {
    this.form.elements.key.value = randomKey();
    this.querySelector(".said")?.remove();
    for (const mark of this.querySelectorAll(".wrong")) mark.remove();
    for (const field of this.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    document.querySelector("mu-jobs").place(part).scrollIntoView({ block: "nearest" });
    say("Ordered. The tokens are set aside until it is done.");
  }

  /** Show what is wrong; the picture that was chosen stays chosen. */
  refused(part) {
    const files = this.file.files, form = part.querySelector("form");
    this.form.replaceWith(form);
    form.addEventListener("input", this.changed);
    this.file.files = files;
    this.fit();
    this.preview();
    (form.querySelector("[aria-invalid]") ?? form.querySelector(".said") ?? form.querySelector(".go")).scrollIntoView({ block: "center" });
    form.querySelector("[aria-invalid]")?.focus();
  }

  /** A model is gone, or back: its card is made anew. The others keep what was typed, and none is chosen in its place. */
  async renewModels() {
    const { part } = await fragment("/create").catch(() => ({}));
    for (const card of part?.querySelectorAll(".model") ?? []) {
      const radio = card.querySelector("[name=model]");
      const old = this.form.querySelector(`[name=model][value="${CSS.escape(radio.value)}"]`);
      if (!old || old.disabled === radio.disabled) continue;
      if (old.checked) say(card.querySelector("small").textContent);
      radio.checked = false;
      old.closest(".model").replaceWith(card);
    }
    this.changed();
  }

  preview() {
    const box = this.querySelector("[data-preview]"), picture = box.querySelector("img");
    const [file] = this.file.files;
    URL.revokeObjectURL(picture.src);
    box.hidden = !file;
    if (!file) {
      picture.removeAttribute("src");
      return this.frame();
    }
    picture.src = URL.createObjectURL(file);
    box.querySelector("span").textContent = file.name;
    this.querySelector(".picked:has([name=source_media])")?.remove();
  }

  /** Take a picture; when the chosen model has no use for one, choose the first that has. */
  take(files) {
    const file = [...files].find(({ type }) => type.startsWith("image/"));
    if (!file) return false;
    const holder = new DataTransfer();
    holder.items.add(file);
    this.file.files = holder.files;
    if (this.model?.dataset.image === "no") this.form.querySelector("input[name=model]:enabled:not([data-image=no])")?.click();
    this.preview();
    this.changed();
    return true;
  }

  pasted = (event) => {
    if (this.take(event.clipboardData?.files ?? [])) event.preventDefault();
  };

  dragged = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.form.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop" && !this.take(event.dataTransfer.files)) say("That is no picture.");
  };

  clicked = (event) => {
    if (event.target.closest("[data-clear]")) {
      this.file.value = "";
      this.preview();
    } else if (event.target.closest("[data-remove]")) {
      event.preventDefault();
      event.target.closest(".picked").remove();
      this.frame();
    }
  };
}

customElements.define("mu-composer", Composer);
