// A new token, shown once: copied or saved, and gone when its dialog is closed.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';
import { onForget, redraw } from '../page.js';

/** @typedef {{ id: string, role: number, epoch: number, token: string }} Issued */

/** @type {Issued | null} */
let issued = null;
/** What was done with it; unkept: it was about to be closed with nothing done. @type {"" | "copied" | "saved" | "uncopied" | "unkept"} */
let done = '';
let settle = () => {};

const dialog = () => /** @type {HTMLDialogElement | null} */ (document.getElementById('token-once'));

/** Shows it, and resolves when it was closed. @param {Issued} what @returns {Promise<void>} */
export function showToken(what) {
  issued = what;
  done = '';
  redraw();
  return new Promise((resolve) => {
    settle = resolve;
    queueMicrotask(() => dialog()?.showModal());
  });
}

async function copy() {
  const text = issued?.token ?? '';
  try {
    await navigator.clipboard.writeText(text);
    done = 'copied';
  } catch {
    /** @type {HTMLTextAreaElement} */ (document.querySelector('[data-test=new-token]')).select();
    done = 'uncopied'; // the browser does not allow it: the person can
  }
  redraw();
}

function save() {
  if (!issued) return;
  const url = URL.createObjectURL(new Blob([`${issued.token}\n`], { type: 'text/plain' }));
  Object.assign(document.createElement('a'), { href: url, download: `${issued.id}.token` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  done = 'saved';
  redraw();
}

/** Closes; the first time it only warns if the token would be lost. @param {Event} e */
function close(e) {
  if (done) return dialog()?.close();
  e.preventDefault();
  done = 'unkept';
  redraw();
}

/** The token leaves the page: the field keeps what was put into it unless it is emptied. */
function closed() {
  if (dialog()?.open) return; // another is shown already
  issued = null;
  const field = /** @type {HTMLTextAreaElement | null} */ (document.querySelector('[data-test=new-token]'));
  if (field) field.value = '';
  settle();
  redraw();
}

export const tokenDialog = () => html`<dialog id="token-once" aria-labelledby="token-once-title" data-test="token-once" @close=${closed} @cancel=${close}>
  ${issued ? html`<div class="once">
    <h2 id="token-once-title">${t('console_token_title', issued.id)}</h2>
    <p>${t('console_token_text')}</p>
    <label>${t('console_token_label', issued.epoch)}
      <textarea readonly rows="5" class="hex" data-test="new-token" spellcheck="false" .value=${issued.token}
        @copy=${() => { done = 'copied'; redraw(); }} @focus=${(/** @type {Event} */ e) => /** @type {HTMLTextAreaElement} */ (e.target).select()}></textarea></label>
    <p role="status" class="token-done" data-test="token-done">${done ? t(`console_token_${done}`) : nothing}</p>
    <div class="actions">
      <button type="button" data-test="token-copy" @click=${copy}>${t('console_token_copy')}</button>
      <button type="button" data-test="token-save" @click=${save}>${t('console_token_save')}</button>
      <button type="button" class="primary" data-test="token-close" @click=${close}>${t('console_token_close')}</button>
    </div>
  </div>` : nothing}
</dialog>`;

onForget(() => {
  if (dialog()?.open) dialog()?.close();
  issued = null;
});
