// One change, as a line for a person: what, to whom, by whom and why.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { has, t } from '../i18n.js';
import { keyLink, outletLink, reasonText } from './cells.js';
import { ago } from './when.js';

/** @typedef {import("./app.js").Change} Change */

/** The kinds that somebody should look at. */
const grave = new Set(['mismatch', 'refused', 'revoked', 'cut', 'restored', 'secret-gone']);

/** The kind of a change, marked if it is grave. @param {string} kind */
export const kindView = (kind) => html`<span class="kind" data-grave=${grave.has(kind) ? 'yes' : 'no'}>${t(`kind_${kind}`)}</span>`;

/** What a person noted, quoted; the server's own notes in the reader's language. @param {Change} change */
export function noteView({ kind, note }) {
  if (!note) return nothing;
  const epoch = /^epoch (\d+)$/.exec(note);
  if (epoch && kind !== 'revoked') return html`<span>${t('console_epoch', epoch[1])}</span>`;
  if (kind === 'enrolled' && has(`role_${note}`)) return html`<span>${t(`role_${note}`)}</span>`;
  return html`<q class="note">${note}</q>`;
}

/** Why, by whom, and what they said. @param {Change} change */
function because(change) {
  const { state, reason, by, outlet } = change;
  return html`${state && state > 2 && reason !== undefined ? html`<span>${reasonText(reason)}</span>` : nothing}
    ${by && by !== outlet ? html`<span>${t('console_by', by)}</span>` : nothing}
    ${noteView(change)}`;
}

/** @param {Change} change @param {boolean} [known] whom it is about is said elsewhere */
export const changeLine = (change, known = false) => html`<li class="change" data-test="change" data-n=${change.n} data-kind=${change.kind}>
  ${kindView(change.kind)}
  <span class="whom">${change.outlet && !known ? outletLink(change.outlet) : nothing}
    ${change.outlet && change.seckeyid ? html`<span class="dim">${t('page_key')}</span> ${keyLink(change.outlet, change.seckeyid)}` : nothing}</span>
  <span class="dim at">${ago(change.at)}</span>
  <span class="dim why">${because(change)}</span>
</li>`;
