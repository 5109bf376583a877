// The history as a table, its days as headings.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { isOpen } from './connection.js';
import { between, days, history, more, refresh } from './history.js';
import { clock, day, grouped, has, moment, t } from './i18n.js';
import { doing, held, verify } from './keys.js';
import { stateView } from './keys-view.js';
import { askRevoke } from './revoke.js';

/** @typedef {import("../wasmclient/hufu.d.ts").Row} Row */

/** A time on a known day is short. @param {number | undefined} at @param {string} on */
const time = (at, on) => (at === undefined ? html`<span class="dim">–</span>`
  : html`<time datetime=${new Date(at).toISOString()}>${day(at) === on ? clock(at) : moment(at)}</time>`);

/** When and why a key ended, or will. @param {Row} row @param {string} on */
function end(row, on) {
  if (row.state === 'retired') return html`<span class="dim">${t('page_replaced')} ${time(row.retired, on)}</span>`;
  if (row.ended === undefined) return html`<span class="dim">${t('page_until')} ${time(row.expires, on)}</span>`;
  const why = has(`reason_${row.reason}`) ? t(`reason_${row.reason}`) : row.reason;
  return html`${time(row.ended, on)} <span class="dim">${why}</span>`;
}

/** @param {Row} row @param {string} on */
function rowView(row, on) {
  const living = row.state === 'active' || row.state === 'retired' || row.state === 'pending';
  const can = isOpen() && doing.action === '';
  return html`<tr data-test="row" data-key=${row.seckeyid} data-state=${row.state}>
    <th scope="row" data-label=${t('page_key')}>${row.seckeyid}</th>
    <td data-label=${t('page_state')}>${stateView(row.state)}</td>
    <td data-label=${t('page_fingerprint')} class="hex">${grouped(row.fingerprint)}</td>
    <td data-label=${t('page_agreed')}>${time(row.negotiated, on)}</td>
    <td data-label=${t('page_verified')}>${time(row.verified, on)}</td>
    <td data-label=${t('page_ended')}><span>${end(row, on)}</span></td>
    <td class="do">
      ${held(row.seckeyid) ? html`<button type="button" class="small" ?disabled=${!can} @click=${() => verify(row.seckeyid)}
        aria-label=${t('page_verify_n', row.seckeyid)}>${t('page_verify')}</button>` : nothing}
      ${living ? html`<button type="button" class="small" ?disabled=${!can} @click=${() => askRevoke(row.seckeyid)}
        aria-label=${t('page_revoke_n', row.seckeyid)}>${t('page_revoke')}</button>` : nothing}
    </td>
  </tr>`;
}

/** @param {Event} e */
function filtered(e) {
  const data = new FormData(/** @type {HTMLFormElement} */ (/** @type {HTMLElement} */ (e.target).closest('form')));
  between(String(data.get('from')), String(data.get('to')));
}

function body() {
  if (history.failure) {
    return html`<p role="alert" class="verdict">${history.failure()}
      <button type="button" class="small" ?disabled=${!isOpen()} @click=${refresh}>${t('page_again')}</button></p>`;
  }
  if (!history.known) return html`<p class="busy" role="status">${t('page_history_loading')}</p>`;
  if (history.rows.length === 0) {
    return html`<p class="empty dim" data-test="history-empty">${t(history.from || history.to ? 'page_history_none' : 'page_history_empty')}</p>`;
  }
  return html`<table>
    <thead><tr>${['page_key', 'page_state', 'page_fingerprint', 'page_agreed', 'page_verified', 'page_ended'].map((key) => html`<th scope="col">${t(key)}</th>`)}
      <th scope="col"><span class="hidden">${t('page_actions')}</span></th></tr></thead>
    ${days().map(([on, rows]) => html`<tbody>
      <tr class="day"><th scope="rowgroup" colspan="7">${on}</th></tr>
      ${rows.map((row) => rowView(row, on))}</tbody>`)}
  </table>
  ${history.cursor ? html`<button type="button" data-test="more" ?disabled=${history.loading || !isOpen()} @click=${more}>${t('page_more')}</button>` : nothing}`;
}

export const historyView = () => html`<section class="history" aria-labelledby="history-title" aria-busy=${history.loading ? 'true' : 'false'}>
  <div class="head">
    <h2 id="history-title">${t('page_history')}</h2>
    <form class="row" @submit=${(/** @type {Event} */ e) => e.preventDefault()}>
      <label>${t('page_from')} <input type="date" name="from" data-test="from" .value=${history.from} max=${history.to || nothing} @change=${filtered}></label>
      <label>${t('page_to')} <input type="date" name="to" data-test="to" .value=${history.to} min=${history.from || nothing} @change=${filtered}></label>
    </form>
  </div>
  ${body()}
</section>`;
