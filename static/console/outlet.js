// One outlet: who it is, its keys, its secrets, what happened to it, and what an
// operator can do.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { isOpen } from '../connection.js';
import { failureText } from '../failure.js';
import { grouped, number, t } from '../i18n.js';
import { stateView } from '../keys-view.js';
import { redraw } from '../page.js';
import { enable, isMyself, newSecret } from './acts.js';
import { administer, codeOf, mayAct, questions } from './app.js';
import { endView, keyLink, keyRow, timeView } from './cells.js';
import { changeLine } from './change-view.js';
import { freshness, presence, roles } from './marks.js';
import { address } from './route.js';
import { ago, now } from './when.js';

/** @typedef {import("./app.js").Change} Change */
/** @typedef {import("./marks.js").OutletRow} OutletRow */
/** @typedef {import("./route.js").Route} Route */

/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */
/** @typedef {Parameters<typeof keyRow>[0]} KeyRow */
/** @typedef {{ epoch: number, created: number, used?: number }} Secret */
/** @typedef {{ outlet: OutletRow, secrets: Secret[], rows: KeyRow[] }} Answer */

const events = 15;

let id = '';
/** @type {Answer | null} */
let seen = null;
/** @type {Change[]} */
let last = [];
/** @type {unknown} */
let failure = null;
let due = 0;
const reading = questions();

async function read() {
  const latest = reading.next();
  try {
    const [answer, { rows }] = await Promise.all([
      /** @type {Promise<Answer>} */ (administer({ op: 'outlet', id })),
      /** @type {Promise<{ rows: Change[] }>} */ (administer({ op: 'events', outlet: id, limit: events })),
    ]);
    if (!latest()) return;
    seen = answer;
    last = rows;
    failure = null;
  } catch (error) {
    if (!latest()) return;
    failure = error;
  }
  redraw();
}

/** @param {Route} route */
function show({ args }) {
  forget();
  id = args[0] ?? '';
  read();
}

function readSoon() {
  due ||= window.setTimeout(() => {
    due = 0;
    read();
  }, 150);
}

/** @param {Change} change */
function changed(change) {
  if (change.kind === 'lost') return readSoon();
  if (change.outlet !== id) return;
  if (seen && (change.kind === 'connected' || change.kind === 'disconnected')) {
    seen.outlet = { ...seen.outlet, connected: change.kind === 'connected', seen: change.at };
    redraw();
  }
  readSoon();
}

function forget() {
  reading.stop();
  clearTimeout(due);
  due = 0;
  id = '';
  seen = null;
  last = [];
  failure = null;
}

/** @param {() => Promise<boolean>} act */
const acts = (act) => async () => {
  if (await act() && id) read();
};

/** @param {OutletRow} row */
function actions(row) {
  if (!mayAct()) return nothing;
  const button = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => Promise<boolean>} */ act) => html`
    <button type="button" data-test=${name} ?disabled=${!isOpen()} @click=${acts(act)}>${t(text)}</button>`;
  return html`<div class="acts">
    ${button('secret', 'console_secret', () => newSecret(row, false))}
    ${isMyself(row) ? nothing : button('enable', row.disabled ? 'console_enable' : 'console_disable', () => enable(row, row.disabled))}
    ${isMyself(row) ? nothing : button('cut', 'console_cut', () => newSecret(row, true))}
  </div>`;
}

/** @param {string} name @param {unknown} value */
const fact = (name, value) => html`<div><dt>${t(name)}</dt><dd>${value}</dd></div>`;

/** @param {OutletRow} row */
const facts = (row) => html`<dl class="facts">
  ${fact('console_filter_online', presence(row))}
  ${fact('console_role', t(`role_${roles[row.role]}`))}
  ${fact('console_filter_freshness', freshness(row))}
  ${row.seckeyid === undefined ? nothing : html`
    ${fact('page_key', keyLink(row.id, row.seckeyid))}
    ${fact('page_fingerprint', html`<span class="hex">${grouped(row.fp ?? '')}</span>`)}
    ${fact('console_ends', html`<span data-test="ends">${ends(row)}</span>`)}`}
  ${fact('console_enrolled', timeView(row.enrolled))}
</dl>`;

/** @param {OutletRow} row */
const ends = (row) => (row.ends === undefined ? nothing : row.ends > now() ? timeView(row.ends) : ago(row.ends));

/** @param {Row} row */
const keyView = (row) => html`<tr data-test="key-row" data-key=${row.seckeyid} data-state=${row.state}>
  <th scope="row" data-label=${t('page_key')}>${keyLink(row.outlet, row.seckeyid)}</th>
  <td data-label=${t('page_state')}>${stateView(row.state)}</td>
  <td data-label=${t('page_fingerprint')} class="hex">${grouped(row.fingerprint)}</td>
  <td data-label=${t('page_agreed')}>${timeView(row.negotiated)}</td>
  <td data-label=${t('page_ended')}>${endView(row)}</td>
</tr>`;

/** @param {KeyRow[]} rows */
const keys = (rows) => html`<section class="part" aria-labelledby="keys-title"><h2 id="keys-title">${t('console_keys_newest')}</h2>
  ${rows.length === 0 ? html`<p class="dim">${t('console_keys_none')}</p>` : html`<table>
    <thead><tr>${['page_key', 'page_state', 'page_fingerprint', 'page_agreed', 'page_ended'].map((key) => html`<th scope="col">${t(key)}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => keyView(keyRow(row)))}</tbody></table>
    <p><a href=${address('history', [], { outlet: id })}>${t('console_keys_all')}</a></p>`}
</section>`;

/** @param {Secret[]} secrets */
const secretsView = (secrets) => html`<section class="part" aria-labelledby="secrets-title"><h2 id="secrets-title">${t('console_secrets')}</h2>
  ${secrets.length === 0 ? html`<p class="dim">${t('console_secrets_none')}</p>` : html`<ul class="plain">${secrets.map(({ epoch, created, used }) => html`
    <li data-test="secret-row" data-epoch=${epoch}><b>${t('console_epoch', number(epoch))}</b> <span class="dim">${t('console_made')}</span> ${timeView(created)}${used === undefined
      ? html`, <span class="unused">${t('console_unused')}</span>` : html`, <span class="dim">${t('console_first_used')}</span> ${timeView(used)}`}</li>`)}</ul>`}
</section>`;

const news = () => html`<section class="part" aria-labelledby="news-title"><h2 id="news-title">${t('console_last')}</h2>
  <ol class="changes">${last.map((change) => changeLine(change, true))}</ol>
  <p><a href=${address('events', [], { outlet: id })}>${t('console_last_all')}</a></p>
</section>`;

function body() {
  if (failure && (!seen || codeOf(failure) === 'error-2')) {
    return html`<h1>${id}</h1><p role="alert" class="verdict">${codeOf(failure) === 'error-2' ? t('console_unknown', id) : failureText(failure)}
      ${codeOf(failure) === 'error-2' ? html`<a href=${address('outlets')}>${t('console_outlets_all')}</a>` : html`<button type="button" class="small" @click=${read}>${t('page_again')}</button>`}</p>`;
  }
  if (!seen) return html`<h1>${id}</h1><p class="busy" role="status">${t('console_reading')}</p>`;
  return html`
    <div class="head"><h1 data-test="outlet-name">${id}</h1>${actions(seen.outlet)}</div>
    ${facts(seen.outlet)}
    ${keys(seen.rows)}
    <div class="pair">${news()}${secretsView(seen.secrets)}</div>`;
}

/** @type {import("./pages.js").Page} */
export const outlet = {
  title: () => id,
  within: 'outlets',
  mount: show,
  update: show,
  unmount: forget,
  opened: readSoon,
  changed,
  view: () => html`<div class="outlet" data-test="outlet-page" data-id=${id}>${body()}</div>`,
};
