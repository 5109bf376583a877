// A field for an outlet's identifier, which proposes those that there are.
import { html } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';
import { redraw } from '../page.js';
import { administer, questions } from './app.js';

const proposals = 8;
const settles = 120; // ms without a keystroke

/** Identifiers are 1 to 11 of these (docs/protocol.md §3). */
const identifier = /^[0-9A-Za-z_.-]{1,11}$/;

/** @param {string} text */
export const isIdentifier = (text) => identifier.test(text);

/** @type {string[]} */
let found = [];
const asking = questions();

/** @param {Event} e */
async function propose(e) {
  const query = /** @type {HTMLInputElement} */ (e.target).value.trim();
  const latest = asking.next();
  await new Promise((resolve) => setTimeout(resolve, settles));
  if (!latest() || !query) return;
  try {
    /** @type {{ rows: { id: string }[] }} */
    const { rows } = await administer({ op: 'outlets', query, roles: [1, 2, 3], limit: proposals });
    if (!latest()) return;
    found = rows.map((row) => row.id);
    redraw();
  } catch {
    // It can be typed as well; what is asked next tells what is wrong.
  }
}

/** @param {string} value */
export const outletField = (value) => html`<label>${t('console_outlet')}
  <input name="outlet" data-test="filter-outlet" list="outlets-there" .value=${value} @input=${propose} pattern="[0-9A-Za-z_.\\-]{1,11}"
    maxlength="11" size="12" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder=${t('console_any')}>
  <datalist id="outlets-there">${found.map((id) => html`<option value=${id}></option>`)}</datalist></label>`;

/** Forgets what was proposed. */
export function forgetProposals() {
  asking.stop();
  found = [];
}
