// The shown key: the tally, what is known of it, and what can be done.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { isOpen } from './connection.js';
import { span, t } from './i18n.js';
import { doing, held, negotiate, shown, verify } from './keys.js';
import { askRevoke } from './revoke.js';
import { tally } from './tally.js';

/** @param {string} state */
export const stateView = (state) => html`<span class="state" data-state=${state}>${t(`state_${state}`)}</span>`;

function facts() {
  const key = held(shown.seckeyid);
  return html`<dl class="facts">
    <div><dt>${t('page_key')}</dt><dd data-test="key">${shown.seckeyid}</dd></div>
    ${shown.state ? html`<div><dt>${t('page_state')}</dt><dd data-test="state">${stateView(shown.state)}</dd></div>` : nothing}
    ${key ? html`<div><dt>${t('page_ends_in')}</dt><dd data-test="ends-in">${span(key.endsIn)}</dd></div>` : nothing}
  </dl>`;
}

export function panel() {
  const idle = isOpen() && doing.action === '';
  const usable = idle && held(shown.seckeyid) !== undefined;
  return html`<section class="panel" aria-labelledby="panel-title">
    <h2 id="panel-title" class="hidden">${t('page_panel')}</h2>
    ${tally()}
    ${shown.seckeyid ? facts() : nothing}
    <p role="status" class="said" data-test="said" data-failed=${doing.failed ? 'yes' : 'no'}>${doing.action ? t(`page_doing_${doing.action}`) : doing.said() || (shown.seckeyid ? nothing : t('page_no_key'))}</p>
    <div class="actions">
      <button type="button" class="primary" data-test="negotiate" ?disabled=${!idle} @click=${negotiate}>${t(shown.seckeyid ? 'page_negotiate_new' : 'page_negotiate')}</button>
      <button type="button" data-test="verify" ?disabled=${!usable} @click=${() => verify(shown.seckeyid)}>${t('page_verify')}</button>
      <button type="button" data-test="revoke" ?disabled=${!usable} @click=${() => askRevoke(shown.seckeyid)}>${t('page_revoke')}</button>
    </div>
  </section>`;
}
