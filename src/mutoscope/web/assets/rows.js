// A long gallery keeps in the document what is near the screen. Whole rows are taken out, and a spacer of their height stands
// for them: rows break from left to right, so what stays does not move.

const KEPT = 160; // Cards: fewer are never taken out.
const NEAR = 2; // Screens above and below the one that is seen.

export class Rows {
  /** `onTop` is called when the first row is in the document again. */
  constructor(gallery, onTop) {
    this.gallery = gallery;
    this.onTop = onTop;
    this.above = this.side("above");
    this.below = this.side("below");
    this.fit = this.fit.bind(this);
    this.onScroll = () => (this.soon ??= requestAnimationFrame(this.fit));
    addEventListener("scroll", this.onScroll, { passive: true });
    addEventListener("resize", this.onScroll, { passive: true });
  }

  side(name) {
    const spacer = Object.assign(document.createElement("div"), { className: `spacer ${name}`, ariaHidden: "true" });
    return { spacer, rows: [], height: 0 };
  }

  end() {
    removeEventListener("scroll", this.onScroll);
    removeEventListener("resize", this.onScroll);
  }

  get cards() {
    return this.gallery.querySelectorAll("mu-card");
  }

  /** Whether an item is here, in the document or out of it. */
  has(id) {
    return Boolean(document.getElementById(id)) || this.stowed(id);
  }

  stowed(id) {
    return [this.above, this.below].some(({ rows }) => rows.some(({ ids }) => ids.includes(id)));
  }

  /** Take an item out for good. */
  drop(id) {
    document.getElementById(id)?.remove();
    for (const { rows } of [this.above, this.below])
      for (const row of rows) {
        const at = row.ids.indexOf(id);
        if (at >= 0) row.ids.splice(at, 1), row.html.splice(at, 1);
      }
  }

  /** Everything back into the document that comes after what is there. */
  restoreBelow() {
    while (this.below.rows.length) this.bring(this.below);
  }

  /** Bring what has come near, and take out what is far. */
  fit() {
    this.soon = null;
    const { top, height } = this.gallery.getBoundingClientRect();
    const far = NEAR * innerHeight;
    const deep = this.above.rows.length;
    while (this.above.rows.length && top + this.above.height > -far / 2) this.bring(this.above);
    while (this.below.rows.length && top + height - this.below.height < innerHeight + far / 2) this.bring(this.below);
    this.take(far);
    if (deep && !this.above.rows.length) this.onTop();
  }

  take(far) {
    let left = this.cards.length - KEPT;
    if (left <= 0) return;
    const lines = this.lines();
    while (left > 0 && lines.length > 1 && lines[1].top < -far) left -= this.stow(this.above, lines.shift(), lines[0].top);
    while (left > 0 && lines.length > 1 && lines.at(-1).top > innerHeight + far) {
      const line = lines.pop();
      left -= this.stow(this.below, line, line.bottom);
    }
    for (const side of [this.above, this.below]) this.settle(side);
  }

  /** The rows that are in the document, from top to bottom. */
  lines() {
    const lines = [];
    for (const card of this.cards) {
      const { top, bottom } = card.getBoundingClientRect();
      if (lines.length && Math.abs(lines.at(-1).top - top) < 2) lines.at(-1).cards.push(card);
      else lines.push({ top, bottom, cards: [card] });
    }
    return lines;
  }

  stow(side, { top, cards }, until) {
    const gap = parseFloat(getComputedStyle(this.gallery).rowGap) || 0;
    const row = { height: side === this.above ? until - top : until - top + gap, ids: cards.map(({ id }) => id) };
    row.html = cards.map((card) => (card.rest?.(), card.outerHTML));
    for (const card of cards) card.remove();
    side.rows.push(row);
    side.height += row.height;
    return cards.length;
  }

  bring(side) {
    const { height, html } = side.rows.pop();
    side.height -= height;
    this.settle(side);
    const template = document.createElement("template");
    template.innerHTML = html.join("");
    const { spacer } = side;
    if (side === this.above) spacer.isConnected ? spacer.after(template.content) : this.gallery.prepend(template.content);
    else spacer.isConnected ? spacer.before(template.content) : this.last().after(template.content);
  }

  last() {
    return [...this.cards].at(-1) ?? this.above.spacer;
  }

  settle(side) {
    const gap = parseFloat(getComputedStyle(this.gallery).rowGap) || 0;
    if (!side.rows.length) return side.spacer.remove();
    // Below it, the filler of the last row gets a line of its own, and a gap.
    side.spacer.style.height = `${side.height - (side === this.above ? gap : 2 * gap)}px`;
    if (side.spacer.isConnected) return;
    if (side === this.above) this.gallery.prepend(side.spacer);
    else this.last().after(side.spacer);
  }
}
