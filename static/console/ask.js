// The one question before something is done that cannot be undone, or that
// needs more to be said: a dialog that names what will happen and to whom.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';
import { onForget, redraw } from '../page.js';

/** @typedef {import("../vendor/lit-html/lit-html.js").TemplateResult} TemplateResult */

/**
 * @typedef {object} Question in texts that are looked up when drawn, so that they follow the language
 * @property {() => string} title
 * @property {() => unknown} [text] what will happen
 * @property {() => unknown} [fields] what else is to be said: named inputs
 * @property {() => string} yes
 * @property {() => string} [no]
 * @property {boolean} [grave] it cannot be undone
 */

/** @type {Question | null} */
let question = null;
/** @type {(answer: FormData | null) => void} */
let settle = () => {};

const dialog = () => /** @type {HTMLDialogElement | null} */ (document.getElementById('ask'));

/** Asks, and resolves with what the fields say, or with null if the answer is no. @param {Question} what @returns {Promise<FormData | null>} */
export function ask(what) {
  settle(null);
  question = what;
  redraw();
  return new Promise((resolve) => {
    settle = resolve;
    queueMicrotask(() => dialog()?.showModal());
  });
}

/** @param {SubmitEvent} e */
function answered(e) {
  settle(new FormData(/** @type {HTMLFormElement} */ (e.target)));
}

function closed() {
  if (dialog()?.open) return; // the next question is shown already
  settle(null);
  question = null;
  redraw();
}

export const askDialog = () => html`<dialog id="ask" aria-labelledby="ask-title" data-test="ask" data-grave=${question?.grave ? 'yes' : 'no'} @close=${closed}>
  ${question ? html`<form method="dialog" @submit=${answered}>
    <h2 id="ask-title">${question.title()}</h2>
    ${question.text ? html`<div class="ask-text" data-test="ask-text">${question.text()}</div>` : nothing}
    ${question.fields?.() ?? nothing}
    <div class="actions">
      <button type="button" data-test="ask-no" @click=${() => dialog()?.close()}>${question.no?.() ?? t('console_cancel')}</button>
      <button class="primary" data-test="ask-yes">${question.yes()}</button>
    </div>
  </form>` : nothing}
</dialog>`;

onForget(() => dialog()?.close());
