// The outlets that a filter selects, in the order of their names: read page by
// page as far as somebody has scrolled, kept current by the changes.
import { redraw } from '../page.js';
import { administer, questions } from './app.js';
import { freshnesses, roles } from './marks.js';

/** @typedef {import("./app.js").Change} Change */
/** @typedef {import("./marks.js").OutletRow} OutletRow */
/** @typedef {{ rows: OutletRow[], after?: string }} Answer */

/** @typedef {{ query: string, freshness: string, online: string, role: string, disabled: string }} Filter as in the address: words, empty for any */

const page = 200;
const atOnce = 20; // changed outlets that are asked for one by one; of more, what is in sight is read again

/** @param {OutletRow} a @param {OutletRow} b */
const byId = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** @param {Filter} f */
function document(f) {
  return {
    ...(f.query && { query: f.query }),
    ...(f.freshness && { freshness: freshnesses.indexOf(f.freshness) }),
    ...(f.online && { connected: f.online === 'yes' }),
    ...(f.disabled && { disabled: f.disabled === 'yes' }),
    roles: f.role === 'all' ? [1, 2, 3] : [Math.max(1, roles.indexOf(f.role))],
  };
}

export const list = {
  /** @type {OutletRow[]} */
  rows: [],
  /** There are more, after the last. */
  more: false,
  loading: false,
  /** It was read at least once. */
  known: false,
  /** @type {unknown} */
  failure: null,
};

/** @type {Filter} */
let filter = { query: '', freshness: '', online: '', role: '', disabled: '' };
const reading = questions();

/** Row by row, when it was read: what changed since without being seen is read again when it comes in sight. @type {WeakMap<OutletRow, number>} */
const readIn = new WeakMap();
let era = 0;
let repairing = false;

/** @param {OutletRow[]} rows */
function stamp(rows) {
  for (const row of rows) readIn.set(row, era);
  return rows;
}

/** Reads the first page of what a filter selects. @param {Filter} f */
export async function begin(f) {
  filter = f;
  await next(true);
}

/** Reads the page after the last, or the first. @param {boolean} [anew] */
async function next(anew = false) {
  const latest = reading.next();
  list.loading = true;
  redraw();
  try {
    const after = anew ? undefined : list.rows.at(-1)?.id;
    const answer = /** @type {Answer} */ (await administer({ op: 'outlets', ...document(filter), ...(after && { after }), limit: page }));
    if (!latest()) return;
    list.rows = anew ? stamp(answer.rows) : [...list.rows, ...stamp(answer.rows)];
    list.more = answer.after !== undefined;
    list.known = true;
    list.failure = null;
  } catch (error) {
    if (!latest()) return;
    list.failure = error;
  }
  list.loading = false;
  redraw();
}

/** Rows up to that one are in sight: reads on when the end comes near. @param {number} first @param {number} last */
export function inSight(first, last) {
  if (list.more && !list.loading && !list.failure && last + page / 2 > list.rows.length) next();
  if (list.rows.slice(first, last).some((row) => readIn.get(row) !== era)) repair(first, last);
}

/** Tries again what failed. */
export const again = () => next(!list.known);

/** What is known may be old: it is read again as it comes in sight. @param {number} first @param {number} last */
export function doubt(first, last) {
  era++;
  if (!list.known) again();
  else repair(first, last);
}

/** Reads the rows in sight again, and puts them in the place of what was there. @param {number} first @param {number} last */
async function repair(first, last) {
  if (repairing) return;
  repairing = true;
  const mine = era;
  const before = filter;
  const after = first > 0 ? list.rows[first - 1]?.id : undefined;
  try {
    const answer = /** @type {Answer} */ (await administer({ op: 'outlets', ...document(filter), ...(after && { after }), limit: Math.min(page, Math.max(1, last - first)) }));
    if (before === filter && mine === era) {
      const end = answer.after; // absent: there is nothing behind these
      const head = list.rows.filter((row) => after !== undefined && row.id <= after);
      const tail = end === undefined ? [] : list.rows.filter((row) => row.id > end);
      list.rows = [...head, ...stamp(answer.rows), ...tail];
    }
  } catch (error) {
    list.failure = error;
  }
  repairing = false;
  redraw();
}

/** @type {Set<string>} outlets of which something has changed */
let changed = new Set();
let due = 0;

/** Takes a change: presence at once, of all else the outlet is read again. @param {Change} change @param {() => [number, number]} sight */
export function take(change, sight) {
  if (change.kind === 'lost') return doubt(...sight());
  const { outlet } = change;
  if (outlet === undefined) return;
  const at = list.rows.findIndex((row) => row.id === outlet);
  if (at < 0 && change.kind !== 'enrolled') return;
  if (change.kind === 'connected' || change.kind === 'disconnected') {
    put({ ...list.rows[at], connected: change.kind === 'connected', seen: change.at });
    return;
  }
  changed.add(outlet);
  due ||= window.setTimeout(() => {
    due = 0;
    const ids = [...changed];
    changed = new Set();
    if (ids.length > atOnce) doubt(...sight());
    else ids.forEach(refresh);
  }, 150);
}

/** Puts a row in the place of what was there. @param {OutletRow} row */
export function put(row) {
  stamp([row]);
  const at = list.rows.findIndex((r) => r.id === row.id);
  if (at >= 0) list.rows = list.rows.with(at, row);
  else if (fits(row) && (!list.more || row.id < (list.rows.at(-1)?.id ?? ''))) list.rows = [...list.rows, row].sort(byId);
  redraw();
}

/** A new row belongs to what is shown. @param {OutletRow} row */
function fits(row) {
  const { freshness, online, role, disabled, query } = filter;
  return row.id.toLowerCase().includes(query.toLowerCase()) && (role === 'all' || roles[row.role] === (role || 'outlet')) &&
    (!freshness || freshnesses[row.freshness] === freshness) && (!online || row.connected === (online === 'yes')) &&
    (!disabled || row.disabled === (disabled === 'yes'));
}

/** Reads one outlet again. @param {string} id */
export async function refresh(id) {
  try {
    put((/** @type {{ outlet: OutletRow }} */ (await administer({ op: 'outlet', id }))).outlet);
  } catch {
    era++; // it is read again with the others, or its failure told there
  }
}

export function forget() {
  reading.stop();
  clearTimeout(due);
  due = 0;
  changed = new Set();
  Object.assign(list, { rows: [], more: false, loading: false, known: false, failure: null });
}
