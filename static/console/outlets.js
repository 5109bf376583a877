// The outlets: found as one types, seen coming and going, enrolled and acted on.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { isOpen } from '../connection.js';
import { failureText } from '../failure.js';
import { grouped, number, t } from '../i18n.js';
import { onForget, redraw } from '../page.js';
import { enable, enrol, isMyself, newSecret } from './acts.js';
import { mayAct } from './app.js';
import { keyLink } from './cells.js';
import { freshness, left, presence, roles } from './marks.js';
import { again, begin, doubt, forget, inSight, isOf, list, refresh, take } from './outlet-list.js';
import { address, here, navigate, replace } from './route.js';
import { shortcut } from './shortcuts.js';
import { Virtual } from './virtual.js';

/** @typedef {import("./marks.js").OutletRow} OutletRow */
/** @typedef {import("./outlet-list.js").Filter} Filter */
/** @typedef {import("./route.js").Route} Route */

const pause = 120; // ms without typing until it is searched

/** @param {Route} route @returns {Filter} */
function filterOf({ query }) {
  const word = (/** @type {string} */ name) => query.get(name) ?? '';
  return { query: word('q'), freshness: word('freshness'), online: word('online'), role: word('role'), disabled: word('disabled') };
}

/** @type {Filter} */
let filter = filterOf(here());
let due = 0;

const virtual = new Virtual('#outlets', () => inSight(virtual.first, virtual.last));

/** Shows what an address says. @param {Route} route */
async function show(route) {
  filter = filterOf(route);
  clearTimeout(due);
  await begin(filter);
  virtual.measure();
}

/** Shows what was shown, where it was left. @param {number} y */
function comeBack(y) {
  doubt();
  setTimeout(() => {
    scrollTo(0, y);
    if (virtual.measure()) redraw();
  });
}

/** Notes the place in the list, for whoever comes back to it. */
const keepPlace = () => history.replaceState({ y: scrollY }, '');

/** @param {Partial<Filter>} change */
const to = (change) => {
  const { query, ...others } = { ...filter, ...change };
  return address('outlets', [], { q: query, ...others });
};

/** @param {Event} e */
function searched(e) {
  filter = { ...filter, query: /** @type {HTMLInputElement} */ (e.target).value.trim() };
  clearTimeout(due);
  due = window.setTimeout(() => replace(to({})), pause);
}

/** @param {Event} e */
function chosen(e) {
  const { name, value } = /** @type {HTMLSelectElement} */ (e.target);
  navigate(to({ [name]: value }));
}

/** @param {string} name @param {string} value @param {[string, string][]} options value and text */
const select = (name, value, options) => html`<label>${t(`console_filter_${name}`)}
  <select name=${name} data-test=${`filter-${name}`} @change=${chosen}>
    ${options.map(([v, text]) => html`<option value=${v} ?selected=${v === value}>${t(text)}</option>`)}
  </select></label>`;

const filters = () => html`<search><form class="find" @submit=${(/** @type {Event} */ e) => e.preventDefault()}>
  <label class="wide">${t('console_search')} <input type="search" name="query" data-test="search" .value=${filter.query} @input=${searched}
    autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="11"></label>
  ${select('online', filter.online, [['', 'console_any'], ['yes', 'console_online'], ['no', 'console_offline']])}
  ${select('freshness', filter.freshness, [['', 'console_any'], ['fresh', 'console_fresh_fresh'], ['soon', 'console_fresh_soon'], ['stale', 'console_fresh_stale'], ['none', 'console_fresh_none']])}
  ${select('disabled', filter.disabled, [['', 'console_any'], ['no', 'console_enabled'], ['yes', 'console_disabled']])}
  ${select('role', filter.role, [['', 'console_outlets'], ['operator', 'console_operators'], ['auditor', 'console_auditors'], ['all', 'console_everybody']])}
</form></search>`;

/** @param {OutletRow} row @param {() => Promise<boolean>} act */
const acts = (row, act) => async () => {
  if (await act()) refresh(row.id);
};

/** @param {OutletRow} row */
const buttons = (row) => html`
  <button type="button" class="small" data-test="row-secret" ?disabled=${!isOpen()} @click=${acts(row, () => newSecret(row, false))}
    aria-label=${t('console_secret_of', row.id)}>${t('console_secret')}</button>
  ${isMyself(row) ? nothing : html`<button type="button" class="small" data-test="row-enable" ?disabled=${!isOpen()} @click=${acts(row, () => enable(row, row.disabled))}
    aria-label=${t(row.disabled ? 'console_enable_of' : 'console_disable_of', row.id)}>${t(row.disabled ? 'console_enable' : 'console_disable')}</button>`}`;

/** @param {OutletRow} row @param {number} index */
const rowView = (row, index) => html`<tr data-test="outlet" data-id=${row.id} data-connected=${row.connected ? 'yes' : 'no'} data-disabled=${row.disabled ? 'yes' : 'no'}
  aria-rowindex=${index + 2}>
  <th scope="row"><a href=${address('outlet', [row.id])} @click=${keepPlace}>${row.id}</a>${row.role === 1 ? nothing : html` <span class="dim">${t(`role_${roles[row.role]}`)}</span>`}</th>
  <td class="at-presence">${presence(row)}</td>
  <td class="at-fresh">${freshness(row)} ${left(row)}</td>
  <td class="at-key">${row.seckeyid === undefined ? html`<span class="dim">–</span>` : html`${keyLink(row.id, row.seckeyid)}
    <span class="hex dim">${grouped(row.fp ?? '')}</span>`}</td>
  <td class="do">${mayAct() ? buttons(row) : nothing}</td>
</tr>`;

/** Room for rows that are not drawn. @param {number} rows */
const room = (rows) => (rows > 0 ? html`<tr class="room" aria-hidden="true" .style=${`height: ${rows * virtual.height}px`}><td colspan="5"></td></tr>` : nothing);

function table() {
  const { rows } = list;
  const first = Math.min(virtual.first, Math.max(0, rows.length - 1));
  const drawn = rows.slice(first, virtual.last);
  return html`<table id="outlets" class="rows" data-test="outlets" data-count=${rows.length} data-more=${list.more ? 'yes' : 'no'} aria-rowcount=${list.more ? -1 : rows.length + 1}>
    <caption class="hidden">${t('console_outlets')}</caption>
    <thead><tr aria-rowindex="1">${['console_outlet', 'console_filter_online', 'console_filter_freshness', 'console_key_current'].map((key) => html`<th scope="col">${t(key)}</th>`)}
      <th scope="col"><span class="hidden">${t('page_actions')}</span></th></tr></thead>
    <tbody>${room(first)}${repeat(drawn, (row) => row.id, (row, i) => rowView(row, first + i))}${room(rows.length - first - drawn.length)}</tbody>
  </table>`;
}

const failed = () => html`<p role="alert" class="verdict">${failureText(list.failure)}
  <button type="button" class="small" ?disabled=${!isOpen()} @click=${again}>${t('page_again')}</button></p>`;

function body() {
  if (!list.known) return list.failure ? failed() : html`<p class="busy" role="status">${t('console_reading')}</p>`;
  const filtered = Object.values(filter).some((word) => word !== '');
  return html`
    <p class="dim count" role="status" data-test="count">${t(list.more ? 'console_count_more' : 'console_count', number(list.rows.length))}</p>
    ${list.rows.length ? table() : html`<p class="empty" data-test="outlets-empty">${filtered
      ? html`${t('console_outlets_none')} <a href=${address('outlets')}>${t('console_outlets_all')}</a>` : t(mayAct() ? 'console_empty' : 'console_empty_auditor')}</p>`}
    ${list.failure ? failed() : nothing}
    ${list.loading && list.more ? html`<p class="busy dim">${t('console_reading')}</p>` : nothing}`;
}

async function enrolled() {
  const id = await enrol();
  if (id) await refresh(id);
}

onForget(forget);
shortcut('/', () => /** @type {HTMLElement | null} */ (document.querySelector('[data-test=search], [data-test=filter-outlet]'))?.focus());

/** @type {import("./pages.js").Page} */
export const outlets = {
  nav: 'console_outlets',
  key: 'l',
  title: () => t('console_outlets'),
  mount(route) {
    virtual.start();
    const { y } = history.state ?? {};
    if (y !== undefined && isOf(filterOf(route))) return comeBack(y);
    forget();
    show(route);
  },
  update: show,
  unmount() {
    clearTimeout(due);
    virtual.stop();
  },
  opened: doubt,
  changed: take,
  view: () => html`<section class="outlets" aria-busy=${list.loading ? 'true' : 'false'}>
    <div class="head"><h1>${t('console_outlets')}</h1>
      ${mayAct() ? html`<button type="button" class="primary" data-test="enrol" ?disabled=${!isOpen()} @click=${enrolled}>${t('console_enrol_new')}</button>` : nothing}</div>
    ${filters()}
    ${body()}
  </section>`,
};
