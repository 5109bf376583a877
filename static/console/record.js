// The history that the address selects: one page of keys, newest first, kept as
// the record has it now.
import { isOpen, link } from '../connection.js';
import { failureText } from '../failure.js';
import { t } from '../i18n.js';
import { redraw } from '../page.js';
import { codeOf, questions } from './app.js';
import { allStates, bound, boundsOf } from './cells.js';
import { isIdentifier } from './outlet-field.js';
import { address } from './route.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").Filter} Filter */
/** @typedef {import("../../wasmclient/hufu.d.ts").KeyState} KeyState */
/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */
/** @typedef {import("./app.js").Change} Change */

const size = 200;
const settles = 300; // ms for more changes of the same moment

/**
 * What is selected, as the address says it: bounds as days or moments, empty if
 * there are none; before: only rows below this n, 0: all.
 * @typedef {{ outlet: string, from: string, to: string, states: KeyState[], before: number }} Asked
 */

/** @type {Asked} */
const nothingAsked = { outlet: '', from: '', to: '', states: [], before: 0 };

export const record = {
  asked: { ...nothingAsked },
  /** @type {Row[]} */
  rows: [],
  /** The n below which there are earlier keys; 0: there are none. */
  cursor: 0,
  /** How many keys were agreed since, that the first page does not show. */
  newer: 0,
  loading: false,
  /** @type {(() => string) | null} */
  failure: null,
  /** What is asked for makes no sense: trying again does not help. */
  wrong: false,
  /** These rows are what was asked for. */
  known: false,
};

/** Where a page began whose end led to this one, by this one's beginning. @type {Map<number, number>} */
const trail = new Map();
const asking = questions();
/** @type {string | null} the query that is shown */
let shown = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let due;
/** The rows are not those that are asked for, or some on top are missing: they stay until those are there. */
let outdated = true;

/** What an address asks for. @param {URLSearchParams} query @returns {Asked} */
function askedBy(query) {
  const words = (query.get('states') ?? '').split(',');
  const before = Number(query.get('before'));
  return { outlet: query.get('outlet') ?? '', ...boundsOf(query), states: allStates.filter((s) => words.includes(s)),
    before: Number.isSafeInteger(before) && before > 0 ? before : 0 };
}

/** The address that asks for it. @param {Asked} asked */
export const addressOf = ({ outlet, from, to, states, before }) => address('history', [], { outlet, from, to, states: states.join(','), before: before || undefined });

/** What is asked for, as a filter of view. @returns {Filter} */
export function filter() {
  const { outlet, from, to, states } = record.asked;
  return { ...(outlet && { outlet }), ...(from && { from: bound(from, 'from') }), ...(to && { to: bound(to, 'to') }), ...(states.length && { states }) };
}

/** Shows what an address asks for, unless it is shown. From page to page the rows stay until the next ones are there. @param {URLSearchParams} query */
export async function show(query) {
  if (shown === String(query)) return;
  shown = String(query);
  const before = record.asked;
  record.asked = askedBy(query);
  const paging = addressOf({ ...before, before: 0 }) === addressOf({ ...record.asked, before: 0 });
  outdated = true;
  Object.assign(record, { known: record.known && paging, newer: 0, failure: null, wrong: false });
  await refresh();
}

/** The page before this one, if it was come from; undefined: it is not known. */
export const later = () => trail.get(record.asked.before);

/** Reads these rows again, at their places: what was agreed since does not push them down. In place of outdated ones, those that are asked for. */
export async function refresh() {
  clearTimeout(due);
  const { session } = link;
  const latest = asking.next();
  const { outlet } = record.asked;
  const before = outdated || record.rows.length === 0 ? record.asked.before : record.rows[0].n + 1;
  if (outlet && !isIdentifier(outlet)) {
    Object.assign(record, { loading: false, wrong: true, failure: () => t('console_no_identifier') });
    return redraw();
  }
  if (!session) return;
  record.loading = true;
  redraw();
  try {
    const next = await session.view(filter(), before, size);
    if (!latest()) return;
    Object.assign(record, { rows: next.rows, cursor: next.cursor, known: true, failure: null });
    if (before === record.asked.before) outdated = false;
    if (before === 0) record.newer = 0;
    if (next.cursor) trail.set(next.cursor, record.asked.before);
  } catch (error) {
    if (!latest()) return;
    if (codeOf(error) !== 'closed') record.failure = () => failureText(error);
  }
  record.loading = false;
  redraw();
}

/** Reads what is asked for as it is now, with what was agreed since on top. */
export function anew() {
  outdated = true;
  return refresh();
}

/** Whether a key that is agreed at that moment belongs on top of these rows. @param {string | undefined} outlet @param {number} at */
function belongs(outlet, at) {
  const { asked } = record;
  return !asked.before && (!asked.outlet || asked.outlet === outlet) && at < (filter().to ?? Infinity) &&
    (!asked.states.length || asked.states.includes('active') || asked.states.includes('pending'));
}

/** Takes note of a change. @param {Change} change */
export function changed({ kind, at, outlet, seckeyid }) {
  if (!record.known || (kind !== 'lost' && !seckeyid)) return;
  const here = record.rows.some((row) => row.outlet === outlet && row.seckeyid === seckeyid);
  if (kind === 'lost') outdated = true;
  if (kind === 'negotiated' && !here && belongs(outlet, at)) {
    record.newer++;
    redraw();
  }
  if (kind === 'lost' || here) {
    clearTimeout(due);
    due = setTimeout(() => isOpen() && refresh(), settles);
  }
}

/** Forgets it all. */
export function forgetRecord() {
  shown = null;
  outdated = true;
  clearTimeout(due);
  asking.stop();
  trail.clear();
  Object.assign(record, { asked: { ...nothingAsked }, rows: [], cursor: 0, newer: 0, loading: false, failure: null, wrong: false, known: false });
}
