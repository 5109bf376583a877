// One key's page: its life from its agreement to its end, with who and why, and
// whether the outlet has confirmed that it is wiped.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { isOpen } from '../connection.js';
import { failureText } from '../failure.js';
import { grouped, moment, span, t } from '../i18n.js';
import { stateView } from '../keys-view.js';
import { redraw } from '../page.js';
import { administer, codeOf, mayAct, questions } from './app.js';
import { byView, isLiving, keyRow, outletLink, reasonText, stateName } from './cells.js';
import { askRevoke } from './revoke-key.js';
import { address } from './route.js';
import { now } from './when.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */
/** @typedef {import("./route.js").Route} Route */
/** @typedef {{ state: number, at: number, reason: number, by?: string, note?: string }} Step */
/** @typedef {{ state: number, at: number, conn: string }} Receipt */

const settles = 100; // ms for more changes of the same moment

const key = {
  outlet: '',
  /** As the address has it. */
  number: '',
  seckeyid: 0,
  /** @type {Row | null} */
  row: null,
  /** @type {Step[]} */
  steps: [],
  /** @type {Receipt[]} */
  receipts: [],
  /** @type {(() => string) | null} */
  failure: null,
  /** There is no such key: trying again does not help. */
  none: false,
};

const asking = questions();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let due;

async function read() {
  clearTimeout(due);
  const latest = asking.next();
  const { outlet, number, seckeyid } = key;
  try {
    /** @type {{ row: Parameters<typeof keyRow>[0], steps: Step[], receipts: Receipt[] }} */
    const { row, steps, receipts } = await administer({ op: 'key', outlet, seckeyid });
    if (!latest()) return;
    Object.assign(key, { row: keyRow(row), steps, receipts, failure: null, none: false });
  } catch (error) {
    if (!latest() || codeOf(error) === 'closed') return;
    key.none = ['error-1', 'error-2', 'argument'].includes(codeOf(error));
    key.failure = () => (key.none ? t('console_key_none', number, outlet) : failureText(error));
  }
  redraw();
}

function forget() {
  clearTimeout(due);
  asking.stop();
  Object.assign(key, { outlet: '', number: '', seckeyid: 0, row: null, steps: [], receipts: [], failure: null, none: false });
}

/** @param {Route} route */
function take({ args }) {
  const [outlet = '', number = ''] = args;
  if (outlet === key.outlet && number === key.number) return;
  forget();
  Object.assign(key, { outlet, number, seckeyid: /^[1-9]\d{0,15}$/.test(number) ? Number(number) : 0 });
  read();
}

/** What a step is, in a sentence. @param {Step} step */
const stepText = ({ state, reason }) => t(`console_step_${stateName(state)}`) + (state > 2 && reason ? ` ${t('console_step_why', reasonText(reason))}` : '');

/** A moment of the key's life. @param {string} mark @param {number} at @param {number | undefined} since @param {unknown} what */
const momentView = (mark, at, since, what) => html`<li data-test="step" data-step=${mark}>
  <p class="when"><time datetime=${new Date(at).toISOString()}>${moment(at)}</time>
    ${since === undefined || at < since ? nothing : html`<span class="dim">+${at - since < 1000 ? `${at - since} ms` : span(at - since)}</span>`}</p>
  <div>${what}</div></li>`;

/** @param {Step} step */
const stepView = (step) => html`<p>${stateView(stateName(step.state))} ${stepText(step)}</p>
  <p><span class="dim">${t('console_done_by')}</span> ${byView(step.by, key.outlet)}</p>
  ${step.note ? html`<p class="note">${step.note}</p>` : nothing}`;

/** @param {Receipt} receipt */
const receiptView = ({ conn }) => html`<p><b>${t('console_receipt')}</b> ${t('console_receipt_text')}</p>
  <p class="dim">${t('console_receipt_conn', conn)}</p>`;

/** What is still to come. @param {Row} row */
function outlook(row) {
  if (isLiving(row.state)) {
    return html`<li class="to-come" data-test="to-come"><p class="when dim">${t('console_to_come')}</p>
      <div><p>${t(row.state === 'pending' ? 'console_outlook_pending' : 'console_outlook_ends', moment(row.expires), span(row.expires - now()))}</p></div></li>`;
  }
  if (row.state !== 'revoked' || row.receipt !== undefined) return nothing;
  return html`<li class="to-come" data-test="to-come"><p class="when dim">${t('console_to_come')}</p><div><p>${t('console_outlook_no_receipt')}</p></div></li>`;
}

function timeline() {
  const { steps, receipts } = key;
  const all = steps.flatMap((step) => [
    { at: step.at, mark: stateName(step.state), what: stepView(step) },
    ...receipts.filter((r) => r.state === step.state).map((r) => ({ at: r.at, mark: 'receipt', what: receiptView(r) })),
  ]);
  return html`<ol class="timeline">${all.map(({ at, mark, what }, i) => momentView(mark, at, all[i - 1]?.at, what))}
    ${key.row ? outlook(key.row) : nothing}</ol>`;
}

/** @param {Row} row */
const facts = (row) => html`<dl class="facts key-facts">
  <div><dt>${t('page_state')}</dt><dd data-test="key-state">${stateView(row.state)}</dd></div>
  <div><dt>${t('page_fingerprint')}</dt><dd class="hex" data-test="key-fp">${grouped(row.fingerprint)}</dd></div>
  <div><dt>${t('page_agreed')}</dt><dd>${moment(row.negotiated)}</dd></div>
  <div><dt>${t(row.ended === undefined ? 'console_ends_latest' : 'page_ended')}</dt><dd>${moment(row.ended ?? row.expires)}</dd></div>
</dl>`;

const known = (/** @type {Row} */ row) => html`${facts(row)}
  ${mayAct() && isLiving(row.state) ? html`<div><button type="button" data-test="key-revoke" ?disabled=${!isOpen()}
    @click=${() => askRevoke(row).then(read)}>${t('console_revoke_this')}</button></div>` : nothing}
  <section class="life" aria-labelledby="life-title"><h2 id="life-title">${t('console_life')}</h2>${timeline()}</section>`;

function body() {
  const { failure, none, row } = key;
  return html`${failure ? html`<p role="alert" class="verdict">${failure()}
      ${none ? nothing : html`<button type="button" class="small" ?disabled=${!isOpen()} @click=${read}>${t('page_again')}</button>`}</p>` : nothing}
    ${row ? known(row) : failure ? nothing : html`<p class="busy" role="status">${t('page_history_loading')}</p>`}`;
}

/** @type {import("./pages.js").Page} */
export const keyPage = {
  within: 'history',
  title: ({ args }) => t('console_key_of', args[1] ?? '', args[0] ?? ''),
  mount: take,
  update: take,
  unmount: forget,
  opened: () => void read(),
  changed({ kind, outlet, seckeyid }) {
    if (kind !== 'lost' && (outlet !== key.outlet || seckeyid !== key.seckeyid)) return;
    clearTimeout(due);
    due = setTimeout(read, settles);
  },
  view: () => html`<section class="key-page" data-test="key-page">
    <div class="of"><h1>${t('page_key')} <span class="hex">${key.seckeyid || ''}</span></h1>
      <p>${t('console_key_outlet')} ${outletLink(key.outlet)} <span class="dim">·</span>
        <a href=${address('history', [], { outlet: key.outlet })}>${t('console_key_all')}</a></p></div>
    ${body()}
  </section>`,
};
