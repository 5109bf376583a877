// What every word of the console means, and the keyboard's shortcuts.
import { html } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';
import { stateView } from '../keys-view.js';
import { allStates } from './cells.js';
import { pages } from './pages.js';
import { shortcutsOn, turnShortcuts } from './shortcuts.js';
import { groups } from './watching.js';

const freshness = ['fresh', 'soon', 'stale', 'none'];
const reasons = ['0', '1', '2', '3', '4', '5'];
/** Each act with its button. */
const acts = { revoke: 'page_revoke', disable: 'console_disable', newsecret: 'console_secret', cut: 'console_cut' };
const people = ['outlet', 'operator', 'auditor'];

/** @param {unknown} term @param {unknown} meaning */
const entry = (term, meaning) => html`<div><dt>${term}</dt><dd>${meaning}</dd></div>`;

/** @param {string} name @param {unknown} entries */
const section = (name, entries) => html`<section aria-labelledby=${`help-${name}`} data-test=${`help-${name}`}>
  <h2 id=${`help-${name}`}>${t(`console_help_${name}`)}</h2><dl class="glossary">${entries}</dl></section>`;

/** @param {string} keys apart by spaces */
const keysView = (keys) => keys.split(' ').map((key) => html`<kbd>${key}</kbd> `);

const goTo = () => Object.values(pages).filter((page) => page.key && page.nav)
  .map((page) => entry(keysView(`g ${page.key}`), t('console_help_goes', t(page.nav ?? ''))));

/** @type {import("./pages.js").Page} */
export const help = {
  nav: 'console_help',
  title: () => t('console_help'),
  mount() {},
  update() {},
  unmount() {},
  view: () => html`<div class="help" data-test="help">
    <h1>${t('console_help')}</h1>
    ${section('states', allStates.map((state) => entry(stateView(state), t(`console_help_state_${state}`))))}
    ${section('freshness', freshness.map((name) => entry(t(`console_fresh_${name}`), t(`console_help_fresh_${name}`))))}
    ${section('acts', Object.entries(acts).map(([act, button]) => entry(t(button), t(`console_help_act_${act}`))))}
    ${section('reasons', [...reasons.map((reason) => entry(html`${reason} ${t(`reason_${reason}`)}`, t(`console_help_reason_${reason}`))),
      entry('6–255', t('console_help_reason_own'))])}
    ${section('kinds', Object.values(groups).flat().map((kind) => entry(t(`kind_${kind}`), t(`console_help_kind_${kind}`))))}
    ${section('people', people.map((role) => entry(t(`role_${role}`), t(`console_help_role_${role}`))))}
    ${section('keyboard', html`${goTo()}${entry(keysView('/'), t('console_help_search'))}${entry(keysView('?'), t('console_help_goes', t('console_help')))}`)}
    <label class="check"><input type="checkbox" data-test="shortcuts" .checked=${shortcutsOn()}
      @change=${(/** @type {Event} */ e) => turnShortcuts(/** @type {HTMLInputElement} */ (e.target).checked)}>${t('console_help_shortcuts')}</label>
  </div>`,
};
