// The overview: whether the network is healthy, and what needs doing.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { failureText } from '../failure.js';
import { clock, number, t } from '../i18n.js';
import { redraw } from '../page.js';
import { mask } from '../tally.js';
import { administer, mayAct, questions } from './app.js';
import { changeLine } from './change-view.js';
import { freshnesses } from './marks.js';
import { address } from './route.js';

import './chart.js';

/** @typedef {import("./app.js").Change} Change */

/** @typedef {{ at: number, negotiated: number, verified: number, mismatch: number, refused: number, revoked: number, expired: number }} Hour */

/**
 * What the server answers to overview, as docs/protocol.md §12 has it.
 * @typedef {object} Overview
 * @property {number} now
 * @property {{ all: number, disabled: number, connected: number, fresh: number, soon: number, stale: number, none: number }} outlets
 * @property {{ pending: number, active: number, retired: number }} keys
 * @property {{ expired: number, revoked: number }} ended
 * @property {Hour[]} hours oldest first
 * @property {Change[]} last newest first
 */

const pause = 2000; // ms between two readings, when much happens

/** @type {Overview | null} */
let seen = null;
/** @type {unknown} */
let failure = null;
/** @type {number | null} the hour that is pointed at */
let pointed = null;
let due = 0;
let readAt = 0;
const reading = questions();

async function read() {
  const latest = reading.next();
  readAt = performance.now();
  try {
    const answer = /** @type {Overview} */ (await administer({ op: 'overview' }));
    if (!latest()) return;
    seen = answer;
    failure = null;
  } catch (error) {
    if (!latest()) return;
    failure = error;
  }
  redraw();
}

/** Reads soon, and not more often than every pause. */
function readSoon() {
  if (due) return;
  due = window.setTimeout(() => {
    due = 0;
    read();
  }, Math.max(100, readAt + pause - performance.now()));
}

const attention = (/** @type {Overview} */ { outlets: o }) => o.stale + o.soon + o.none;

/** The one sentence that says how the network is. @param {Overview} o */
function verdict(o) {
  const enabled = o.outlets.all - o.outlets.disabled;
  const bad = attention(o);
  if (enabled === 0) return t('console_verdict_empty');
  if (bad === 0) return t(enabled === 1 ? 'console_verdict_good_one' : 'console_verdict_good', number(enabled));
  return t(bad === 1 ? 'console_verdict_bad_one' : 'console_verdict_bad', number(bad), number(enabled));
}

/** @param {Hour[]} hours @param {(h: Hour) => number} of */
const sum = (hours, of) => hours.reduce((all, h) => all + of(h), 0);

/** @param {string} href @param {number} n @param {string} what */
const finding = (href, n, what) => (n === 0 ? nothing : html`<li><a href=${href}><b>${number(n)}</b> ${t(what)}</a></li>`);

/** What somebody should look at. @param {Overview} o */
function findings(o) {
  const from = o.hours[0]?.at;
  const outlets = (/** @type {string} */ freshness) => address('outlets', [], { freshness, disabled: 'no' });
  const events = (/** @type {string} */ kinds) => address('events', [], { kinds, from });
  const mismatches = sum(o.hours, (h) => h.mismatch);
  const refusals = sum(o.hours, (h) => h.refused);
  if (attention(o) + mismatches + refusals === 0) return nothing;
  return html`<ul class="findings" data-test="findings">
    ${finding(outlets('stale'), o.outlets.stale, 'console_find_stale')}
    ${finding(outlets('soon'), o.outlets.soon, 'console_find_soon')}
    ${finding(outlets('none'), o.outlets.none, 'console_find_none')}
    ${finding(events('mismatch'), mismatches, 'console_find_mismatch')}
    ${finding(events('refused'), refusals, 'console_find_refused')}
  </ul>`;
}

/** A number that leads to what it counts. @param {string} name @param {string} href @param {number} n @param {string} [of] */
const figure = (name, href, n, of) => html`<li><a href=${href} data-test=${`figure-${name}`}>
  <b>${number(n)}</b>${of ? html`<small>${of}</small>` : nothing}<span class=${freshnesses.includes(name) ? 'fresh' : ''} data-fresh=${name}>${t(`console_figure_${name}`)}</span></a></li>`;

/** How the outlets' keys are, as one bar: each part has its pattern and its share. @param {Overview["outlets"]} o */
const shares = (o) => html`<div class="shares" aria-hidden="true">
  ${['fresh', 'soon', 'stale', 'none'].map((name) => {
    const n = o[/** @type {"fresh"} */ (name)];
    return n ? html`<i data-fresh=${name} .style=${`flex-grow: ${n}`}></i>` : nothing;
  })}</div>`;

/** @param {Overview} o */
function figures(o) {
  const to = (/** @type {string} */ freshness) => address('outlets', [], { freshness, disabled: 'no' });
  const states = (/** @type {string} */ state) => address('history', [], { states: state });
  const kinds = (/** @type {string} */ kind) => address('events', [], { kinds: kind, from: o.hours[0]?.at });
  return html`<div class="figures">
    <section aria-labelledby="figures-outlets"><h2 id="figures-outlets">${t('console_figures_outlets')}</h2>
      ${shares(o.outlets)}
      <ul>
        ${figure('connected', address('outlets', [], { online: 'yes' }), o.outlets.connected, t('console_of', number(o.outlets.all - o.outlets.disabled)))}
        ${figure('fresh', to('fresh'), o.outlets.fresh)}
        ${figure('soon', to('soon'), o.outlets.soon)}
        ${figure('stale', to('stale'), o.outlets.stale)}
        ${figure('none', to('none'), o.outlets.none)}
        ${figure('disabled', address('outlets', [], { disabled: 'yes' }), o.outlets.disabled)}
      </ul></section>
    <section aria-labelledby="figures-keys"><h2 id="figures-keys">${t('console_figures_keys')}</h2>
      <ul>
        ${figure('active', states('active'), o.keys.active)}
        ${figure('retired', states('retired'), o.keys.retired)}
        ${figure('pending', states('pending'), o.keys.pending)}
        ${figure('expired', kinds('expired'), o.ended.expired)}
        ${figure('revoked', kinds('revoked'), o.ended.revoked)}
      </ul></section>
  </div>`;
}

/** @param {Hour} h */
const hourText = (h) => clock(h.at).slice(0, 5);
/** @param {Hour} h */
const failed = (h) => h.mismatch + h.refused;

/** @param {number | null} index */
function point(index) {
  if (pointed === index) return;
  pointed = index;
  redraw();
}

/** What the pointed hour had, else the day. @param {Hour[]} hours */
function pointedText(hours) {
  const h = pointed === null ? undefined : hours[pointed];
  if (!h) return t('console_chart_day', number(sum(hours, (x) => x.verified)), number(sum(hours, failed)));
  return t('console_chart_hour', hourText(h), number(h.verified), number(failed(h)));
}

/** @param {Overview} o */
function chart({ hours }) {
  const labels = hours.map(hourText);
  return html`<section class="chart" aria-labelledby="chart-title">
    <h2 id="chart-title">${t('console_chart')}</h2>
    <p class="dim" data-test="chart-text">${pointedText(hours)}</p>
    <h3>${t('console_chart_verified')}</h3>
    <hufu-bars role="img" aria-label=${t('console_chart_verified')} .bars=${{ labels, values: hours.map((h) => h.verified), hatched: false, point }}></hufu-bars>
    <h3>${t('console_chart_failed')}</h3>
    <hufu-bars class="low" role="img" aria-label=${t('console_chart_failed')} .bars=${{ labels, values: hours.map(failed), hatched: true, point }}></hufu-bars>
    <details data-test="chart-table"><summary>${t('console_chart_table')}</summary>
      <table><thead><tr><th scope="col">${t('console_hour')}</th>
        ${['negotiated', 'verified', 'mismatch', 'refused', 'revoked', 'expired'].map((kind) => html`<th scope="col">${t(`kind_${kind}`)}</th>`)}</tr></thead>
        <tbody>${hours.toReversed().map((h) => html`<tr><th scope="row" data-label=${t('console_hour')}>${hourText(h)}</th>
          ${/** @type {const} */ (['negotiated', 'verified', 'mismatch', 'refused', 'revoked', 'expired']).map((kind) => html`<td data-label=${t(`kind_${kind}`)}>${number(h[kind])}</td>`)}</tr>`)}
        </tbody></table></details>
  </section>`;
}

/** @param {Overview} o */
const last = ({ last: changes }) => html`<section class="last" aria-labelledby="last-title">
  <h2 id="last-title">${t('console_last')}</h2>
  ${changes.length ? html`<ol class="changes" data-test="last">${changes.map((change) => changeLine(change))}</ol>
    <p><a href=${address('events')}>${t('console_last_all')}</a></p>`
    : html`<p class="dim">${t('console_last_none')}</p>`}
</section>`;

function body() {
  if (failure && !seen) {
    return html`<h1>${t('console_overview')}</h1><p role="alert" class="verdict">${failureText(failure)}
      <button type="button" class="small" @click=${read}>${t('page_again')}</button></p>`;
  }
  if (!seen) return html`<h1>${t('console_overview')}</h1><p class="busy" role="status">${t('console_reading')}</p>`;
  const o = seen;
  const good = attention(o) === 0 && o.outlets.all > o.outlets.disabled;
  return html`<div class="health" data-test="health" data-good=${good ? 'yes' : 'no'}>
      ${mask(motif, motif, good)}
      <div><h1 data-test="verdict">${verdict(o)}</h1>
        ${o.outlets.all === 0 ? html`<p>${t(mayAct() ? 'console_empty' : 'console_empty_auditor')}
          ${mayAct() ? html`<a href=${address('outlets')}>${t('console_outlets')}</a>` : nothing}</p>` : nothing}
        ${findings(o)}</div></div>
    ${figures(o)}
    <div class="news">${chart(o)}${last(o)}</div>`;
}

/** Teeth that fit. */
const motif = 'b46e3430d74b8279';

function forget() {
  reading.stop();
  clearTimeout(due);
  due = 0;
  readAt = 0;
  seen = null;
  failure = null;
  pointed = null;
}

/** @type {import("./pages.js").Page} */
export const overview = {
  nav: 'console_overview',
  key: 'o',
  title: () => t('console_overview'),
  mount: read,
  update() {},
  unmount: forget,
  opened: readSoon,
  changed: readSoon,
  view: () => html`<div class="overview" data-test="overview">${body()}</div>`,
};
