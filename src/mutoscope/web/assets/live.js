// One line to the server for all tabs of a browser: the tab that holds the lock listens and tells the others.
// An event is { kind: "generation" | "media" | "tokens" | "model" | "resync", id, version } and holds no content.

const KINDS = ["generation", "media", "tokens", "model", "resync"];
const REMEMBERED_MS = 30_000;
const AGAIN_MS = 20_000;

const { person = "", cursor } = document.documentElement.dataset;
const listeners = new Set();
const channel = "BroadcastChannel" in window ? new BroadcastChannel(`mutoscope ${person}`) : null;
let recent = [];
let leading = false;

/** Call `listener` with every event from now on; returns what ends that. */
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(event) {
  for (const listener of listeners) listener(event);
}

function heard(event) {
  const now = Date.now();
  recent = [...recent.filter(({ at }) => now - at < REMEMBERED_MS), { at: now, event }];
  channel?.postMessage({ event });
  tell(event);
}

function listen(after) {
  const source = new EventSource("/api/events" + (after ? "?after=" + encodeURIComponent(after) : ""));
  for (const kind of KINDS)
    source.addEventListener(kind, ({ data }) => heard({ kind, ...JSON.parse(data) }));
  source.addEventListener("error", () => {
    // The browser comes back by itself, with the id of the last event, unless it was refused.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => listen(), AGAIN_MS);
    setTimeout(() => heard({ kind: "resync" }), AGAIN_MS);
  });
}

channel?.addEventListener("message", ({ data }) => {
  if (data.event) tell(data.event);
  // A tab that just opened may have missed what happened while it loaded; hearing an event twice is harmless.
  else if (data.joined && leading) for (const { event } of recent) channel.postMessage({ event });
});

/** Begin. Without locks (they need HTTPS or this machine) every tab has its own line. */
export function start() {
  addEventListener("pageshow", ({ persisted }) => persisted && tell({ kind: "resync" }));
  if (!navigator.locks || !channel) return listen(cursor);
  const began = Date.now();
  channel.postMessage({ joined: true });
  navigator.locks.request(`mutoscope ${person}`, () => {
    leading = true;
    // Who waited long for the lock has an old place in the stream: the tab that led told it everything since.
    const waited = Date.now() - began > 2_000;
    listen(waited ? undefined : cursor);
    if (waited) tell({ kind: "resync" });
    return new Promise(() => {});
  });
}
