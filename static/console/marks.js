// How an outlet's presence and its key are shown: by a shape and a word, never
// by colour alone.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { span, t } from '../i18n.js';
import { ago, now } from './when.js';

/**
 * A row of outlets, as docs/protocol.md §12 has it. The last four are of the active key.
 * @typedef {object} OutletRow
 * @property {string} id
 * @property {number} role
 * @property {boolean} disabled
 * @property {number} enrolled
 * @property {number} epoch
 * @property {number} number
 * @property {boolean} connected
 * @property {number} [seen]
 * @property {number} freshness
 * @property {number} [seckeyid]
 * @property {string} [fp]
 * @property {number} [expires]
 * @property {number} [ends]
 */

/** The protocol's names of freshness and role, by their numbers. */
export const freshnesses = ['none', 'fresh', 'soon', 'stale'];
export const roles = ['', 'outlet', 'operator', 'auditor'];

/** @param {OutletRow} row */
export function presence(row) {
  if (row.disabled) return html`<span class="presence" data-presence="disabled">${t('console_disabled')}</span>`;
  if (row.connected) return html`<span class="presence" data-presence="online">${t('console_online')}</span>`;
  return html`<span class="presence" data-presence="offline">${row.seen === undefined ? t('console_never_seen')
    : html`${t('console_offline')} <span class="dim">· ${ago(row.seen)}</span>`}</span>`;
}

/** @param {OutletRow} row */
export const freshness = (row) => html`<span class="fresh" data-fresh=${freshnesses[row.freshness]}>${t(`console_fresh_${freshnesses[row.freshness]}`)}</span>`;

/** How long the active key has. @param {OutletRow} row */
export const left = (row) => (row.ends === undefined ? nothing : html`<span class="dim" title=${t('console_left')}>${span(row.ends - now())}</span>`);
