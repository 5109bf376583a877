// The outlet's own history, as the server's record has it, by date.
import { isOpen, link } from './connection.js';
import { failureText } from './failure.js';
import { day } from './i18n.js';
import { onForget, redraw } from './page.js';

/** @typedef {import("../wasmclient/hufu.d.ts").Row} Row */

const page = 25;

export const history = {
  /** @type {Row[]} */
  rows: [],
  /** Where the next page begins; 0: there is none. */
  cursor: 0,
  /** Days, as of input type=date; empty: no bound. */
  from: '',
  to: '',
  loading: false,
  /** @type {(() => string) | null} */
  failure: null,
  /** It was read at least once. */
  known: false,
};

/** Days are whole, by this machine's calendar. */
function filter() {
  const bound = (/** @type {string} */ date, /** @type {number} */ days) => {
    const [y, m, d] = date.split('-').map(Number);
    return new Date(y, m - 1, d + days).getTime();
  };
  return {
    ...(history.from && { from: bound(history.from, 0) }),
    ...(history.to && { to: bound(history.to, 1) }),
  };
}

/** Reads the newest page. */
export const refresh = () => read(0);

/** Reads the page after those that are shown. */
export const more = () => read(history.cursor);

/** @param {number} cursor */
async function read(cursor) {
  const { session } = link;
  if (!isOpen() || !session) return;
  history.loading = true;
  history.failure = null;
  redraw();
  try {
    const next = await session.view(filter(), cursor, page);
    if (link.session !== session) return; // it was left meanwhile
    history.rows = cursor ? [...history.rows, ...next.rows] : next.rows;
    history.cursor = next.cursor;
    history.known = true;
  } catch (error) {
    if (link.session !== session) return;
    history.failure = () => failureText(error);
  }
  history.loading = false;
  redraw();
}

/** The record of one key, whatever days are shown. @param {number} seckeyid */
export async function recordOf(seckeyid) {
  const row = history.rows.find((r) => r.seckeyid === seckeyid);
  if (row || !link.session) return row;
  return (await link.session.view({}, 0, page)).rows.find((r) => r.seckeyid === seckeyid);
}

/** Shows other days. @param {string} from @param {string} to */
export function between(from, to) {
  history.from = from;
  history.to = to;
  return refresh();
}

/** The rows by the day on which they were agreed, as they come. */
export function days() {
  /** @type {Map<string, Row[]>} */
  const all = new Map();
  for (const row of history.rows) {
    const key = day(row.negotiated);
    all.set(key, [...(all.get(key) ?? []), row]);
  }
  return [...all];
}

onForget(() => {
  Object.assign(history, { rows: [], cursor: 0, from: '', to: '', loading: false, failure: null, known: false });
});
