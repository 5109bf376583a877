// The history: which keys there were, by outlet, by days and by state. Its
// address says all of it, so that it can be sent to somebody else.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { isOpen, link } from '../connection.js';
import { day, grouped, moment, number, t } from '../i18n.js';
import { stateView } from '../keys-view.js';
import { allStates, boundText, chosenBound, dayOf, endView, keyLink, outletLink, timeView, zone } from './cells.js';
import { cancelExport, exportHistory, exporting } from './export.js';
import { forgetProposals, outletField } from './outlet-field.js';
import { addressOf, anew, changed, filter, forgetRecord, later, record, refresh, show } from './record.js';
import { navigate } from './route.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").KeyState} KeyState */
/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */

const usual = 5000; // ms within which an agreed key is verified

/** What the form says, as an address. @param {HTMLFormElement} form */
function selected(form) {
  const data = new FormData(form);
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim();
  const states = /** @type {KeyState[]} */ (data.getAll('state').map(String));
  return addressOf({ outlet: text('outlet'), from: chosenBound(data.get('from'), record.asked.from), to: chosenBound(data.get('to'), record.asked.to), states, before: 0 });
}

/** @param {Event} e */
function filtered(e) {
  e.preventDefault();
  const form = /** @type {HTMLFormElement} */ (/** @type {HTMLElement} */ (e.target).closest('form'));
  if (e.type === 'submit' ? form.reportValidity() : form.checkValidity()) navigate(selected(form));
}

const isFiltered = () => record.asked.outlet || record.asked.from || record.asked.to || record.asked.states.length;

function filters() {
  const { outlet, from, to, states } = record.asked;
  return html`<form class="selection" @submit=${filtered} @change=${filtered} data-test="filters">
    ${outletField(outlet)}
    <label>${t('console_from')} <input type="date" name="from" data-test="filter-from" .value=${dayOf(from)} max=${dayOf(to) || nothing}></label>
    <label>${t('console_to')} <input type="date" name="to" data-test="filter-to" .value=${dayOf(to)} min=${dayOf(from) || nothing}></label>
    <fieldset><legend>${t('page_state')}</legend>
      ${allStates.map((state) => html`<label class="check"><input type="checkbox" name="state" value=${state} data-test=${`filter-${state}`}
        .checked=${states.includes(state)}>${t(`state_${state}`)}</label>`)}</fieldset>
    <div class="selection-do">${isFiltered() ? html`<a data-test="filter-none" href="#/history">${t('console_filter_none')}</a>` : nothing}</div>
  </form>`;
}

/** What is shown, in one sentence. */
function summary() {
  const { outlet, from, to } = record.asked;
  const who = outlet || t('console_all_outlets');
  if (from && from === to) return t('console_history_on', who, boundText(from));
  if (from && to) return t('console_history_within', who, boundText(from), boundText(to));
  if (from) return t('console_history_since', who, boundText(from));
  return to ? t('console_history_until', who, boundText(to)) : t('console_history_of', who);
}

/** The file that an export suggests: what it has is in its name. */
function fileName() {
  const { outlet, from, to } = record.asked;
  return ['hufu', link.session?.info.serverId, outlet, dayOf(from), to && `to-${dayOf(to)}`].filter(Boolean).join('-') + '.csv';
}

function exportView() {
  const { state, rows, reached } = exporting;
  if (state === 'running' || state === 'waiting') {
    return html`<div class="export" data-test="export" data-state=${state}>
      <p role="status" class="busy">${t(state === 'waiting' ? 'console_export_waiting' : 'console_export_running')}</p>
      <button type="button" class="small" data-test="export-cancel" @click=${cancelExport}>${t('console_cancel')}</button>
      <p class="dim" data-test="export-rows">${reached ? t('console_export_rows', number(rows), moment(reached)) : nothing}</p></div>`;
  }
  return html`<div class="export" data-test="export" data-state=${state}>
    <p role="status" class=${state === 'failed' ? 'verdict' : 'dim'}>${state === 'done' ? t('console_export_done', number(rows))
      : state === 'cancelled' ? t('console_export_cancelled') : state === 'failed' ? `${t('console_export_failed')} ${exporting.why()}` : nothing}</p>
    <button type="button" data-test="export-csv" ?disabled=${!isOpen() || !record.known || record.rows.length === 0}
      @click=${() => exportHistory(filter(), fileName())}>${t('console_export')}</button></div>`;
}

/** When it was agreed, and what is not as usual about its verification. @param {Row} row @param {string} on */
function agreedView({ negotiated, verified }, on) {
  if (verified === undefined) return html`${timeView(negotiated, on)} <span class="dim">${t('console_not_verified')}</span>`;
  if (verified - negotiated < usual) return timeView(negotiated, on);
  return html`${timeView(negotiated, on)} <span class="dim">${t('console_verified_at')} ${timeView(verified, on)}</span>`;
}

/** @param {Row} row */
function rowView(row) {
  const on = day(row.negotiated);
  const ended = row.state === 'expired' || row.state === 'revoked';
  return html`<tr data-test="row" data-n=${row.n} data-outlet=${row.outlet} data-key=${row.seckeyid} data-state=${row.state}>
  <td data-label=${t('page_agreed')}><span>${agreedView(row, on)}</span></td>
  <td data-label=${t('console_outlet')}>${outletLink(row.outlet)}</td>
  <th scope="row" data-label=${t('page_key')}>${keyLink(row.outlet, row.seckeyid)}</th>
  <td data-label=${t('page_state')}>${stateView(row.state)}</td>
  <td data-label=${t('page_ended')}>${endView(row, on)}</td>
  <td data-label=${ended ? t('console_receipt') : nothing}>${ended ? timeView(row.receipt, on) : nothing}</td>
  <td data-label=${t('page_fingerprint')} class="hex">${grouped(row.fingerprint)}</td>
</tr>`;
}

const columns = ['page_agreed', 'console_outlet', 'page_key', 'page_state', 'page_ended', 'console_receipt', 'page_fingerprint'];

/** The rows by the day on which they were agreed, in their order. */
function days() {
  /** @type {[string, Row[]][]} */
  const all = [];
  for (const row of record.rows) {
    const on = day(row.negotiated);
    if (all.at(-1)?.[0] === on) all.at(-1)?.[1].push(row);
    else all.push([on, [row]]);
  }
  return all;
}

function table() {
  return html`<table class="keys" data-test="keys">
    <caption class="hidden">${summary()}</caption>
    <thead><tr>${columns.map((key) => html`<th scope="col">${t(key)}</th>`)}</tr></thead>
    ${days().map(([on, rows]) => html`<tbody>
      <tr class="day"><th scope="rowgroup" colspan=${columns.length}>${on}</th></tr>
      ${rows.map(rowView)}</tbody>`)}
  </table>`;
}

/** Where these rows stand, and the way to the ones before and after. */
function pager() {
  const { rows, cursor, asked } = record;
  const before = later();
  return html`<nav class="pager" aria-label=${t('console_pager')}>
    <p class="dim" role="status" data-test="span">${t('console_history_span', number(rows.length), moment(rows[0].negotiated), moment(rows[rows.length - 1].negotiated))}</p>
    ${asked.before ? html`<a class="button" data-test="first" href=${addressOf({ ...asked, before: 0 })}>${t('console_newest')}</a>` : nothing}
    ${before ? html`<a class="button" data-test="later" rel="prev" href=${addressOf({ ...asked, before })}>${t('console_later_keys')}</a>` : nothing}
    ${cursor ? html`<a class="button" data-test="earlier" rel="next" href=${addressOf({ ...asked, before: cursor })}>${t('page_more')}</a>`
      : html`<span class="dim" data-test="end">${t('console_history_end')}</span>`}
  </nav>`;
}

function rows() {
  if (record.rows.length > 0) return html`${table()}${pager()}`;
  return html`<p class="empty dim" role="status" data-test="history-empty">${t(isFiltered() ? 'console_history_none' : 'console_history_empty')}</p>`;
}

function body() {
  const { failure, wrong, known } = record;
  return html`${failure ? html`<p role="alert" class="verdict">${failure()}
      ${wrong ? nothing : html`<button type="button" class="small" ?disabled=${!isOpen()} @click=${refresh}>${t('page_again')}</button>`}</p>` : nothing}
    ${known ? rows() : failure ? nothing : html`<p class="busy" role="status">${t('page_history_loading')}</p>`}`;
}

/** What was agreed since, offered and not pressed on whoever reads. */
const newer = () => html`<div role="status" class="newer">${record.newer ? html`<button type="button" class="small" data-test="newer" @click=${anew}>
  ${t(record.newer === 1 ? 'console_newer_key' : 'console_newer_keys', record.newer)}</button>` : nothing}</div>`;

/** @type {import("./pages.js").Page} */
export const historyPage = {
  nav: 'console_history',
  key: 'h',
  title: () => t('console_history'),
  mount: ({ query }) => void show(query),
  update({ query }) {
    const { before } = record.asked;
    show(query);
    if (record.asked.before !== before) scrollTo(0, 0);
  },
  unmount() {
    forgetRecord();
    forgetProposals();
  },
  opened: (begins) => void (begins ? anew() : refresh()),
  changed,
  view: () => html`<section class="record" data-test="history" aria-busy=${record.loading ? 'true' : 'false'}>
    <h1>${t('console_history')}</h1>
    ${filters()}
    <div class="record-head"><p data-test="summary">${record.wrong ? nothing : summary()} <span class="dim">${t('console_newest_first')} ${t('console_zone', zone())}</span></p>${exportView()}</div>
    ${newer()}
    ${body()}
  </section>`,
};
