// The outlets that a filter selects, in the order of their names: read page by
// page as far as somebody has scrolled, kept current by the changes.
import { redraw } from '../page.js';
import { administer, questions } from './app.js';
import { freshnesses, roles } from './marks.js';

/** @typedef {import("./app.js").Change} Change */
/** @typedef {import("./marks.js").OutletRow} OutletRow */
/** @typedef {{ rows: OutletRow[], after?: string }} Answer */

/** @typedef {{ query: string, freshness: string, online: string, role: string, disabled: string }} Filter as in the address: words, empty for any */

const firstPage = 60; // rows: more than a screen has, soon there
const page = 200;
const ahead = 100; // rows below those in sight from which on the next page is read
const atOnce = 20; // changed outlets that are asked for one by one; of more, what is in sight is read again
const settles = 100; // ms: changes that come within are taken together

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

/** The rows that are in sight, the last exclusive. */
const sight = { first: 0, last: 0 };

/** When a row was read, in eras: what was read in an earlier one is read again when it comes in sight. @type {WeakMap<OutletRow, number>} */
const readIn = new WeakMap();
let era = 0;
let repairing = false;

/** @param {OutletRow} a @param {OutletRow} b */
const byId = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** What is asked for, as outlets has it. */
const selection = () => ({
  ...(filter.query && { query: filter.query }),
  ...(filter.freshness && { freshness: freshnesses.indexOf(filter.freshness) }),
  ...(filter.online && { connected: filter.online === 'yes' }),
  ...(filter.disabled && { disabled: filter.disabled === 'yes' }),
  roles: filter.role === 'all' ? [1, 2, 3] : [Math.max(1, roles.indexOf(filter.role))],
});

/** @param {string | undefined} after @param {number} limit @returns {Promise<Answer>} */
const ask = (after, limit) => administer({ op: 'outlets', ...selection(), ...(after && { after }), limit });

/** @param {OutletRow[]} rows */
function stamp(rows) {
  for (const row of rows) readIn.set(row, era);
  return rows;
}

/** Reads the first page of what a filter selects. @param {Filter} f */
export function begin(f) {
  filter = f;
  return next(true);
}

/** The list is that of a filter, and was read. @param {Filter} f */
export const isOf = (f) => list.known && JSON.stringify(f) === JSON.stringify(filter);

/** Reads the page after the last, or the first. @param {boolean} anew */
async function next(anew) {
  const latest = reading.next();
  list.loading = true;
  redraw();
  try {
    const answer = await ask(anew ? undefined : list.rows.at(-1)?.id, anew ? firstPage : page);
    if (!latest()) return;
    const last = list.rows.at(-1)?.id ?? ''; // by now: a repair may have read on
    list.rows = anew ? stamp(answer.rows) : [...list.rows, ...stamp(answer.rows).filter((row) => row.id > last)];
    list.more = answer.after !== undefined;
    list.known = true;
    list.failure = null;
  } catch (error) {
    if (!latest()) return;
    list.failure = error;
  }
  list.loading = false;
  goOn();
  redraw();
}

/** Reads on when the end comes near, and again what is old. */
function goOn() {
  if (!list.known || list.failure) return;
  if (list.more && !list.loading && sight.last + ahead > list.rows.length) next(false);
  if (list.rows.slice(sight.first, sight.last).some((row) => readIn.get(row) !== era)) repair();
}

/** Those rows are in sight now. @param {number} first @param {number} last exclusive */
export function inSight(first, last) {
  Object.assign(sight, { first, last });
  goOn();
}

/** Tries again what failed. */
export function again() {
  list.failure = null;
  if (list.known) goOn();
  else next(true);
}

/** What is known may be old: it is read again as it comes in sight. */
export function doubt() {
  era++;
  if (!list.known) return again();
  list.failure = null;
  repair();
}

/** Reads the rows in sight again, and puts them in the place of what was there. */
async function repair() {
  if (repairing) return;
  repairing = true;
  const mine = era;
  const before = filter;
  const after = list.rows[sight.first - 1]?.id;
  try {
    const answer = await ask(after, Math.min(page, Math.max(1, sight.last - sight.first)));
    if (before === filter && mine === era) {
      const head = after === undefined ? [] : list.rows.filter((row) => row.id <= after);
      const end = answer.after; // absent: nothing lies behind these
      const tail = end === undefined ? [] : list.rows.filter((row) => row.id > end);
      list.rows = [...head, ...stamp(answer.rows), ...tail];
      list.more = end !== undefined && (list.more || tail.length === 0);
    }
  } catch (error) {
    list.failure = error;
  }
  repairing = false;
  goOn();
  redraw();
}

/** @type {Change[]} */
let coming = [];
let due = 0;

/** Takes a change, with those that come soon after it. @param {Change} change */
export function take(change) {
  if (change.kind === 'lost') return doubt();
  if (change.outlet === undefined) return;
  coming.push(change);
  due ||= window.setTimeout(settle, settles);
}

/** A change may bring an outlet into a list that it is not in: one that is filtered, or any if it is new. @param {Change} change */
function mayEnter({ kind, outlet = '' }) {
  if (list.more && outlet > (list.rows.at(-1)?.id ?? '')) return false;
  return kind === 'enrolled' || filter.freshness !== '' || filter.online !== '' || filter.disabled !== '';
}

/** Takes what has come: presence at once, of all else the outlets are read again. */
function settle() {
  due = 0;
  /** @type {Map<string, Change>} */
  const presence = new Map();
  /** @type {Set<string>} */
  const changed = new Set();
  const shown = new Set(list.rows.map((row) => row.id));
  for (const change of coming) {
    const { kind, outlet = '' } = change;
    if (!shown.has(outlet) && !mayEnter(change)) continue;
    if (shown.has(outlet) && (kind === 'connected' || kind === 'disconnected')) presence.set(outlet, change);
    else changed.add(outlet);
  }
  coming = [];
  if (presence.size) {
    list.rows = list.rows.map((row) => {
      const change = presence.get(row.id);
      return change ? renewed(row, { connected: change.kind === 'connected', seen: change.at }) : row;
    });
  }
  if (changed.size > atOnce) doubt();
  else changed.forEach(refresh);
  redraw();
}

/** A row of which something is known better; of the rest it is as old as it was. @param {OutletRow} row @param {Partial<OutletRow>} better */
function renewed(row, better) {
  const fresh = { ...row, ...better };
  readIn.set(fresh, readIn.get(row) ?? 0);
  return fresh;
}

/** Puts a row in the place of what was there. @param {OutletRow} row */
function put(row) {
  stamp([row]);
  const at = list.rows.findIndex((r) => r.id === row.id);
  if (at >= 0) list.rows = list.rows.with(at, row);
  else if (fits(row) && (!list.more || row.id < (list.rows.at(-1)?.id ?? ''))) list.rows = [...list.rows, row].sort(byId);
  redraw();
}

/** A row belongs to what is shown. @param {OutletRow} row */
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
    era++; // it is read again with the others, which tells what is wrong
  }
}

export function forget() {
  reading.stop();
  clearTimeout(due);
  due = 0;
  coming = [];
  Object.assign(list, { rows: [], more: false, loading: false, known: false, failure: null });
}
