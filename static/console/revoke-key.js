// Ending a key for good: the question, and what came of it.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { failureText } from '../failure.js';
import { t } from '../i18n.js';
import { administer, codeOf } from './app.js';
import { ask } from './ask.js';
import { say } from './said.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").Row} Row */

const reasons = [1, 2, 3, 0];
const leastOwn = 6;
const mostOwn = 255;
const mostNote = 200; // bytes of UTF-8

/** @param {Event} e */
function noted(e) {
  const input = /** @type {HTMLInputElement} */ (e.target);
  input.setCustomValidity(new TextEncoder().encode(input.value).length > mostNote ? t('console_note_long') : '');
}

const fields = () => html`<div class="reasons"><label>${t('page_reason')} <select name="reason" data-test="revoke-reason">
    ${reasons.map((n) => html`<option value=${n}>${t(`reason_${n}`)}</option>`)}</select></label>
  <label>${t('console_reason_number')} <input name="own" type="number" data-test="revoke-own" min=${leastOwn} max=${mostOwn} placeholder="6–255"></label></div>
  <label>${t('console_note')} <input name="note" data-test="revoke-note" autocomplete="off" @input=${noted}></label>`;

/** @param {Row} row @param {FormData} answer */
function operation({ outlet, seckeyid }, answer) {
  const note = String(answer.get('note') ?? '').trim();
  return { op: 'revoke', outlet, seckeyid, reason: Number(answer.get('own') || answer.get('reason')), ...(note && { note }) };
}

/** Asks, and revokes the key if the answer is yes. @param {Row} row */
export async function askRevoke(row) {
  const { outlet, seckeyid, state } = row;
  const answer = await ask({
    title: () => t('console_revoke_title', seckeyid, outlet),
    text: () => html`<p>${t('page_revoke_text')}</p>${state === 'active' ? html`<p>${t('console_revoke_active', outlet)}</p>` : nothing}`,
    fields,
    yes: () => t('page_revoke'),
    no: () => t('page_keep'),
    grave: true,
  });
  if (!answer) return;
  try {
    /** @type {{ changed: boolean }} */
    const { changed } = await administer(operation(row, answer));
    say(() => t(changed ? 'console_revoked' : 'console_revoked_already', seckeyid, outlet), !changed);
  } catch (error) {
    say(() => (codeOf(error) === 'error-4' ? t('console_revoke_expired', seckeyid, outlet) : failureText(error)), true);
  }
}
