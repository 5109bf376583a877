// The question before a key is ended for good.
import { html } from './vendor/lit-html/lit-html.js';
import { t } from './i18n.js';
import { revoke } from './keys.js';
import { onForget, redraw } from './page.js';

const reasons = [1, 2, 3, 0];
let asked = 0;

const dialog = () => /** @type {HTMLDialogElement} */ (document.getElementById('revoke'));

/** @param {number} seckeyid */
export function askRevoke(seckeyid) {
  asked = seckeyid;
  redraw();
  dialog().showModal();
}

/** @param {SubmitEvent} e */
function answered(e) {
  const data = new FormData(/** @type {HTMLFormElement} */ (e.target), e.submitter);
  if (data.get('answer') === 'yes') revoke(asked, Number(data.get('reason')));
}

export const revokeDialog = () => html`<dialog id="revoke" aria-labelledby="revoke-title" data-test="revoke-dialog">
  <form method="dialog" @submit=${answered}>
    <h2 id="revoke-title">${t('page_revoke_title', asked)}</h2>
    <p>${t('page_revoke_text')}</p>
    <label>${t('page_reason')} <select name="reason">
      ${reasons.map((n) => html`<option value=${n}>${t(`reason_${n}`)}</option>`)}
    </select></label>
    <div class="actions">
      <button name="answer" value="no">${t('page_keep')}</button>
      <button class="primary" name="answer" value="yes" data-test="revoke-yes">${t('page_revoke')}</button>
    </div>
  </form>
</dialog>`;

onForget(() => dialog()?.close());
