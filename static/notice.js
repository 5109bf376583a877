// The faces of what is not as it should be: no connection, a clock that is
// off, a page about to lock.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { link } from './connection.js';
import { failureText } from './failure.js';
import { span, t } from './i18n.js';
import { locksIn, stay } from './lock.js';
import { redraw } from './page.js';

const tolerated = 60_000;

/** Why there is no connection, and when the next attempt comes. */
export function waiting() {
  const seconds = Math.ceil((link.retryAt - performance.now()) / 1000);
  return html`<div class="notice" data-test="waiting" data-code=${link.status.code ?? nothing}>
    <p role="status"><b>${t(link.status.code === 'refused' ? 'page_refused' : 'page_offline')}</b> ${failureText(link.status)}</p>
    <p class="dim countdown" data-test="countdown">${seconds > 0 ? t('page_retry', seconds) : t('page_connecting')}</p>
  </div>`;
}

/** How far this machine's clock is off, said from a minute on. */
function clockOff() {
  const off = link.status.clockOff ?? 0;
  if (Math.abs(off) <= tolerated) return nothing;
  return html`<div class="notice" data-test="clock-off"><p role="status"><b>${t('page_clock')}</b>
    ${t(off > 0 ? 'page_clock_behind' : 'page_clock_ahead', span(Math.abs(off)))}</p></div>`;
}

function lockSoon() {
  const left = locksIn();
  if (left > 60_000) return nothing;
  return html`<div class="notice" data-test="lock-soon"><p role="status"><b>${t('page_lock_soon')}</b></p>
    <p class="dim countdown">${span(left)}</p>
    <button type="button" @click=${() => { stay(); redraw(); }}>${t('page_stay')}</button></div>`;
}

export function notices() {
  const { state } = link.status;
  return html`
    ${state === 'waiting' ? waiting() : nothing}
    ${state === 'connecting' ? html`<div class="notice"><p role="status" class="busy">${t('page_connecting')}</p></div>` : nothing}
    ${clockOff()}${lockSoon()}`;
}
