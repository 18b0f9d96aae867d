// Asking the server, and saying things to the person.

const line = document.getElementById("said");
let silence;

/** Say a sentence, on the page and to screen readers. */
export function say(text) {
  line.textContent = text;
  line.classList.add("on");
  clearTimeout(silence);
  silence = setTimeout(() => line.classList.remove("on"), 5_000);
}

/** A request for a page's inner part. Resolves to { status, part }; rejects with a sentence for the person. */
export async function fragment(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { ...options, headers: { "X-Fragment": "1", Accept: "application/problem+json" } });
  } catch {
    throw new Error("The studio cannot be reached. Look at the network, and try again.");
  }
  if (!(answer.headers.get("content-type") ?? "").includes("text/html")) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail ?? "That did not work. Try again."), { status: answer.status });
  }
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  return { status: answer.status, part: template.content };
}

/** JSON from the REST interface: { status, body }. */
export async function json(url, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(url, options);
  return { status: answer.status, body: await answer.json().catch(() => ({})) };
}
