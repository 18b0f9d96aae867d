// Unlocking in place: the form is sent without leaving the page, and what comes back takes the page's place.

import { say } from "./ask.js";

/** Make a form that unlocks do so in place; `dress` is called on the new content. */
export function unlockInPlace(form, dress) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      const main = document.querySelector("main");
      main.replaceChildren(...fresh.childNodes);
      dress(main);
      main.focus();
      say(answer.ok ? "Unlocked." : "It is still locked.");
    } catch {
      button.disabled = false;
      say("The studio cannot be reached. Look at the network, and try again.");
    }
  });
}
