// The history as CSV (RFC 4180): one line a key, names and states as the
// protocol has them, times as ISO 8601 in UTC, so that a file says the same
// wherever it was written. Only the reason's words are in the person's language.
import { grouped, has, language, t } from '../i18n.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */

const columns = ['n', 'outlet', 'seckeyid', 'state', 'negotiated', 'verified', 'retired', 'expires', 'ended', 'reason', 'why', 'by',
  'receipt', 'fingerprint'];

/** A spreadsheet takes a file for UTF-8 only if it begins with this mark. Without Chinese there is no need. */
const mark = () => (language() === 'zh' ? '\ufeff' : '');

/** @param {string | number} value */
const field = (value) => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

/** @param {number | undefined} at */
const time = (at) => (at === undefined ? '' : new Date(at).toISOString());

/** @param {(string | number)[]} values */
const line = (values) => `${values.map(field).join(',')}\r\n`;

/** What the file begins with. */
export const csvHead = () => mark() + line(columns);

/**
 * The fingerprint is written as it is shown, in groups: whole, a spreadsheet may
 * take it for a number and lose digits.
 * @param {Row} row
 */
export const csvLine = (row) => line([row.n, row.outlet, row.seckeyid, row.state, time(row.negotiated), time(row.verified),
  time(row.retired), time(row.expires), time(row.ended), row.reason ?? '', has(`reason_${row.reason}`) ? t(`reason_${row.reason}`) : '',
  row.by ?? '', time(row.receipt), grouped(row.fingerprint)]);
