// A piece of the change table without a gap in it: from the newest event down
// to where reading has stopped. Nothing but this: no connection, no page.

/** @typedef {import("./app.js").Change} Change */
/** @typedef {{ rows: Change[], before?: number }} Page newest first; before: there are earlier ones, below it */
/** @typedef {{ outlet?: string, kinds?: string[], from?: number, to?: number }} Selection */
/** @typedef {(where: { from?: number, before?: number }) => Promise<Page>} Read reads one page of what is selected */

/** Rows that stay when new ones come on top. */
const kept = 1000;

/** Pages that are read to close a gap; a greater one is not closed: the piece begins anew. */
const gapPages = 5;

/**
 * A change takes its number before it is committed, so that one that was in
 * flight may come below those that are known: so far back is read again, in ms.
 */
const inFlight = 60_000;

/** Whether an event is selected. @param {Selection} s @param {Change} e */
export const selects = (s, e) => (!s.outlet || s.outlet === e.outlet) && (!s.kinds || s.kinds.includes(e.kind)) &&
  (s.from === undefined || e.at >= s.from) && (s.to === undefined || e.at < s.to);

export class Feed {
  /** @type {Change[]} newest first */
  events = [];
  /** Below this number nothing was read yet; 0: there is nothing. */
  before = 0;
  /** @type {Change[] | null} what arrives while the newest page is read */
  #meanwhile = null;

  /** Puts events at their places. Those that are there already, or lie below the piece, are left out. @param {Change[]} more */
  put(more) {
    const known = new Set(this.events.map((e) => e.n));
    const fresh = more.filter((e) => e.n >= this.before && !known.has(e.n) && known.add(e.n));
    if (fresh.length === 0) return;
    this.events = [...fresh, ...this.events].sort((a, b) => b.n - a.n);
  }

  /** Puts new events on top, and lets go of the oldest if it grows long. @param {Change[]} more */
  arrive(more) {
    this.#meanwhile?.push(...more);
    const { length } = this.events;
    this.put(more);
    if (this.events.length <= Math.max(kept, length)) return;
    this.events = this.events.slice(0, Math.max(kept, length));
    this.before = /** @type {Change} */ (this.events.at(-1)).n;
  }

  /** Begins with the newest page, and what arrives while it is read. @param {Read} read */
  async begin(read) {
    /** @type {Change[]} */
    const meanwhile = (this.#meanwhile = []);
    const page = await read({});
    this.events = page.rows;
    this.before = page.before ?? 0;
    this.put(meanwhile);
    if (this.#meanwhile === meanwhile) this.#meanwhile = null;
  }

  /** Reads the page below. @param {Read} read */
  async earlier(read) {
    const { before } = this;
    const page = await read({ before });
    if (this.before !== before) return; // another reading was faster
    this.before = page.before ?? 0;
    this.put(page.rows);
  }

  /**
   * Reads what came while nobody listened. What is too much is not read: the
   * piece begins anew, and false says so.
   * @param {Read} read
   * @param {boolean} lost changes were left out that nobody will tell again, those in flight as well
   */
  async catchUp(read, lost) {
    const [top] = this.events;
    const from = top && Math.max(1, top.at - inFlight);
    /** @type {Change[]} */
    const missed = [];
    let before;
    for (let pages = 0; pages < gapPages; pages++) {
      /** @type {Page} */
      const page = await read({ from, before });
      missed.push(...page.rows);
      before = page.before;
      if (!before || (!lost && missed.some((e) => e.n <= top?.n))) {
        this.put(missed);
        return true;
      }
    }
    await this.begin(read);
    return false;
  }
}
