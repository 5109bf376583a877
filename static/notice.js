// The faces of what is not as it should be: no connection, a clock that is
// off, a page about to lock.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { link } from './connection.js';
import { failureText } from './failure.js';
import { span, t } from './i18n.js';
import { locksIn, stay } from './lock.js';
import { redraw } from './page.js';

const tolerated = 60_000;

const why = () => `${t(link.status.code === 'refused' ? 'page_refused' : 'page_offline')} ${failureText(link.status)}`;
const isClockOff = () => Math.abs(link.status.clockOff ?? 0) > tolerated;
const locksSoon = () => link.session !== null && locksIn() <= 60_000;

/** What a screen reader is told of all this, without the seconds. */
export function announcement() {
  return [
    link.loading ? t('page_loading') : '',
    link.status.state === 'waiting' ? why() : link.status.state === 'connecting' ? t('page_connecting') : '',
    isClockOff() ? t('page_clock') : '',
    locksSoon() ? t('page_lock_soon') : '',
  ].join(' ').trim();
}

/** Why there is no connection, and when the next attempt comes. */
export function waiting() {
  const seconds = Math.ceil((link.retryAt - performance.now()) / 1000);
  return html`<div class="notice" data-test="waiting" data-code=${link.status.code ?? nothing}>
    <p><b>${t(link.status.code === 'refused' ? 'page_refused' : 'page_offline')}</b> ${failureText(link.status)}</p>
    <p class="dim countdown" data-test="countdown">${seconds > 0 ? t('page_retry', seconds) : t('page_connecting')}</p>
  </div>`;
}

/** How far this machine's clock is off, said from a minute on. */
function clockOff() {
  const off = link.status.clockOff ?? 0;
  if (!isClockOff()) return nothing;
  return html`<div class="notice" data-test="clock-off"><p><b>${t('page_clock')}</b>
    ${t(off > 0 ? 'page_clock_behind' : 'page_clock_ahead', span(Math.abs(off)))}</p></div>`;
}

function lockSoon() {
  if (!locksSoon()) return nothing;
  return html`<div class="notice" data-test="lock-soon"><p><b>${t('page_lock_soon')}</b></p>
    <p class="dim countdown">${span(locksIn())}</p>
    <button type="button" @click=${() => { stay(); redraw(); }}>${t('page_stay')}</button></div>`;
}

export function notices() {
  const { state } = link.status;
  return html`
    ${state === 'waiting' ? waiting() : nothing}
    ${state === 'connecting' ? html`<div class="notice"><p class="busy">${t('page_connecting')}</p></div>` : nothing}
    ${clockOff()}${lockSoon()}`;
}
