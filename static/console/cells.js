// What the console's tables and pages say alike: times, reasons, who it was, and
// the links between outlets and their keys.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { clock, day, has, moment, t } from '../i18n.js';
import { address } from './route.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").KeyState} KeyState */
/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */

/** @type {KeyState[]} the states by their numbers, from 1 on */
const names = ['pending', 'active', 'retired', 'expired', 'revoked'];

export const allStates = names;

/** @param {number} state as documents have it */
export const stateName = (state) => names[state - 1];

/**
 * A key as administer tells of it, in the form that view has.
 * @param {Omit<Row, "state" | "fingerprint"> & { state: number, fp: string }} row
 * @returns {Row}
 */
export const keyRow = ({ state, fp, ...row }) => ({ ...row, state: stateName(state), fingerprint: fp });

/** A key that opens something still. @param {KeyState} state */
export const isLiving = (state) => state === 'pending' || state === 'active' || state === 'retired';

/** A time; on a day that is said beside it, the time of the day. @param {number | undefined} at @param {string} [on] */
export const timeView = (at, on) => (at === undefined ? html`<span class="dim">–</span>`
  : html`<time datetime=${new Date(at).toISOString()}>${day(at) === on ? clock(at) : moment(at)}</time>`);

/** Why, in words; an installation's own reason is its number. @param {number | undefined} reason */
export const reasonText = (reason) => (has(`reason_${reason}`) ? t(`reason_${reason}`) : t('console_reason_own', reason ?? 0));

/** Who it was: who acts upon another stands out. @param {string | undefined} by @param {string | undefined} whom */
export const byView = (by, whom) => (by && by !== whom ? html`<b class="id">${by}</b>` : html`<span class="dim">${by || t('console_by_server')}</span>`);

/** @param {string} id */
export const outletLink = (id) => html`<a href=${address('outlet', [id])}>${id}</a>`;

/** @param {string} outlet @param {number} seckeyid */
export const keyLink = (outlet, seckeyid) => html`<a href=${address('key', [outlet, seckeyid])}
  aria-label=${t('console_key_of', seckeyid, outlet)}>${seckeyid}</a>`;

/** When and why a key ended, or will. @param {Row} row @param {string} [on] */
export function endView(row, on) {
  if (row.state === 'retired') return html`<span><span class="dim">${t('page_replaced')}</span> ${timeView(row.retired, on)}</span>`;
  if (row.ended === undefined) return html`<span><span class="dim">${t('page_until')}</span> ${timeView(row.expires, on)}</span>`;
  return html`<span>${timeView(row.ended, on)} ${row.reason === undefined ? nothing : html`<span class="dim">${reasonText(row.reason)}</span>`}
    ${row.by ? html`<span class="dim">${t('console_by', row.by)}</span>` : nothing}</span>`;
}

/**
 * A bound that an address names: a day of this machine's calendar, from its
 * beginning or up to its end, or a moment in ms.
 * @param {string} text @param {"from" | "to"} which @returns {number | undefined} undefined: it is none
 */
export function bound(text, which) {
  if (/^\d{12,14}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const [y, m, d] = text.split('-').map(Number);
  return new Date(y, m - 1, which === 'to' ? d + 1 : d).getTime();
}

/** The bounds of a query, those left out that are none. @param {URLSearchParams} query */
export const boundsOf = (query) => {
  const [from, to] = /** @type {const} */ (['from', 'to']).map((which) => (bound(query.get(which) ?? '', which) === undefined ? '' : query.get(which) ?? ''));
  return { from, to };
};

/** A bound as its day, for input type=date. @param {string} text */
export const dayOf = (text) => (/^\d+$/.test(text) ? day(Number(text)) : text);

/** A bound as a person reads it. @param {string} text */
export const boundText = (text) => (/^\d+$/.test(text) ? moment(Number(text)) : text);

/** What a date field says: the bound as it was, if the day is the same. @param {FormDataEntryValue | null} value @param {string} before */
export const chosenBound = (value, before) => (value === dayOf(before) ? before : String(value ?? ''));

/** Where this machine's days begin. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
