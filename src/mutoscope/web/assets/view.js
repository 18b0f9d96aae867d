// A view counts once the page of an item has been in sight for a moment: not what is fetched ahead or stays in the background.

const MOMENT_MS = 1_000;

/** Say once that the item of this page is being looked at. */
export function countView(stage) {
  if (!stage) return;
  let later = null;
  const look = () => {
    clearTimeout(later);
    if (document.visibilityState === "visible" && !document.prerendering) later = setTimeout(say, MOMENT_MS);
  };
  const say = () => {
    document.removeEventListener("visibilitychange", look);
    document.removeEventListener("prerenderingchange", look);
    fetch(`/api/media/${stage.dataset.view}/view`, { method: "POST", keepalive: true }).catch(() => {}); // A view that is lost is a view that is lost.
  };
  document.addEventListener("visibilitychange", look);
  document.addEventListener("prerenderingchange", look);
  look();
}
