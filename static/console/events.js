// The events: who did what when, as it happens.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { isOpen } from '../connection.js';
import { clock, day, number, t } from '../i18n.js';
import { byView, chosenBound, dayOf, keyLink, outletLink, reasonText } from './cells.js';
import { kindView, noteView } from './change-view.js';
import { forgetProposals, outletField } from './outlet-field.js';
import { navigate } from './route.js';
import { addressOf, catchUp, changed, earlier, forgetEvents, goOn, groups, isPast, pause, show, watching } from './watching.js';

/** @typedef {import("./app.js").Change} Change */

/** What the form says, as an address. @param {HTMLFormElement} form */
function selected(form) {
  const data = new FormData(form);
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim();
  return addressOf({ outlet: text('outlet'), from: chosenBound(data.get('from'), watching.asked.from), to: chosenBound(data.get('to'), watching.asked.to), kinds: data.getAll('kind').map(String) });
}

/** @param {Event} e */
function filtered(e) {
  e.preventDefault();
  const form = /** @type {HTMLFormElement} */ (/** @type {HTMLElement} */ (e.target).closest('form'));
  if (e.type === 'submit' ? form.reportValidity() : form.checkValidity()) navigate(selected(form));
}

const isFiltered = () => watching.asked.outlet || watching.asked.from || watching.asked.to || watching.asked.kinds.length;

/** How many kinds are selected, or which one. @param {string[]} kinds */
const kindsText = (kinds) => (kinds.length === 0 ? t('console_kinds_all') : kinds.length === 1 ? t(`kind_${kinds[0]}`) : t('console_kinds_some', kinds.length));

function filters() {
  const { outlet, from, to, kinds } = watching.asked;
  return html`<form class="selection" @submit=${filtered} @change=${filtered} data-test="filters">
    ${outletField(outlet)}
    <label>${t('console_from')} <input type="date" name="from" data-test="filter-from" .value=${dayOf(from)} max=${dayOf(to) || nothing}></label>
    <label>${t('console_to')} <input type="date" name="to" data-test="filter-to" .value=${dayOf(to)} min=${dayOf(from) || nothing}></label>
    <details class="kinds"><summary data-test="kinds">${t('console_kinds')} <b>${kindsText(kinds)}</b></summary>
      <div>${Object.entries(groups).map(([name, group]) => html`<fieldset><legend>${t(`console_kinds_${name}`)}</legend>
        ${group.map((kind) => html`<label class="check"><input type="checkbox" name="kind" value=${kind} data-test=${`kind-${kind}`}
          .checked=${kinds.includes(kind)}>${t(`kind_${kind}`)}</label>`)}</fieldset>`)}</div></details>
    <div class="selection-do">${isFiltered() ? html`<a data-test="filter-none" href="#/events">${t('console_filter_none')}</a>` : nothing}</div>
  </form>`;
}

/** A cell that says nothing has no label either. @param {string} label @param {unknown} content */
const cell = (label, content) => html`<td data-label=${content ? t(label) : nothing}>${content || nothing}</td>`;

/** Why, in words and by the note, if either is there. @param {Change} change */
function whyView(change) {
  const { state, reason, note } = change;
  const ended = state !== undefined && state > 2 && reason !== undefined;
  return (ended || note) && html`<span>${ended ? reasonText(reason) : nothing} ${noteView(change)}</span>`;
}

/** @param {Change} change */
function rowView(change) {
  const { n, at, kind, outlet, seckeyid, by } = change;
  return html`<tr data-test="event" data-n=${n} data-kind=${kind}>
    <td data-label=${t('console_at')}><time datetime=${new Date(at).toISOString()}>${clock(at)}</time></td>
    <th scope="row" data-label=${t('console_event')}>${kindView(kind)}</th>
    ${cell('console_outlet', outlet && outletLink(outlet))}
    ${cell('page_key', outlet && seckeyid && keyLink(outlet, seckeyid))}
    ${cell('console_why', whyView(change))}
    ${cell('console_who', byView(by, outlet))}
  </tr>`;
}

const columns = ['console_at', 'console_event', 'console_outlet', 'page_key', 'console_why', 'console_who'];

/** The changes by their days. Numbers are given in order of the record, so that a day may come twice. */
function days() {
  /** @type {[string, Change[]][]} */
  const all = [];
  for (const change of watching.feed.events) {
    const on = day(change.at);
    if (all.at(-1)?.[0] === on) all.at(-1)?.[1].push(change);
    else all.push([on, [change]]);
  }
  return all;
}

function list() {
  if (watching.feed.events.length === 0) return html`<p class="empty dim" data-test="events-empty">${t(isFiltered() ? 'console_events_none' : 'console_events_empty')}</p>`;
  return html`<table class="events" data-test="events"><caption class="hidden">${t('console_events')}</caption>
    <thead><tr>${columns.map((key) => html`<th scope="col">${t(key)}</th>`)}</tr></thead>
    ${days().map(([on, changes]) => html`<tbody><tr class="day"><th scope="rowgroup" colspan=${columns.length}>${on}</th></tr>
      ${repeat(changes, (change) => change.n, rowView)}</tbody>`)}
  </table>
  ${watching.feed.before ? html`<div><button type="button" data-test="earlier" ?disabled=${watching.loading || !isOpen()} @click=${earlier}>${t('console_earlier_events')}</button></div>`
    : html`<p class="dim" data-test="end">${t('console_events_end')}</p>`}`;
}

function body() {
  const { failure, wrong, known } = watching;
  return html`${failure ? html`<p role="alert" class="verdict">${failure()}
      ${wrong ? nothing : html`<button type="button" class="small" ?disabled=${!isOpen()} @click=${catchUp}>${t('page_again')}</button>`}</p>` : nothing}
    ${known ? list() : failure ? nothing : html`<p class="busy" role="status">${t('page_history_loading')}</p>`}`;
}

/** Whether the list is the present, and how to keep it still. */
function live() {
  if (isPast()) return nothing;
  const { paused, held, anew } = watching;
  const state = !isOpen() ? 'offline' : paused ? 'paused' : 'live';
  return html`<div class="live" data-test="live" data-state=${state}>
    <p role="status"><span class="pulse" aria-hidden="true"></span>${t(`console_live_${state}`)} ${anew ? t('console_events_anew', clock(anew)) : nothing}</p>
    <button type="button" class="small" data-test="pause" @click=${paused ? goOn : pause}>${paused
      ? (held ? t('console_go_on_held', number(held)) : t('console_go_on')) : t('console_pause')}</button></div>`;
}

/** @type {import("./pages.js").Page} */
export const events = {
  nav: 'console_events',
  key: 'e',
  title: () => t('console_events'),
  mount: ({ query }) => show(query),
  update: ({ query }) => show(query),
  unmount() {
    forgetEvents();
    forgetProposals();
  },
  opened: () => void catchUp(),
  changed,
  view: () => html`<section class="record" data-test="events-page" aria-busy=${watching.loading ? 'true' : 'false'}>
    <h1>${t('console_events')}</h1>
    ${filters()}
    ${live()}
    ${body()}
  </section>`,
};
