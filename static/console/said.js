// What came of the person's last act, in one line that screen readers tell.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';
import { onForget, redraw } from '../page.js';

/** @type {(() => unknown) | null} */
let said = null;
let failed = false;

/** Says it, in a text that is looked up when drawn. @param {() => unknown} what @param {boolean} [bad] it was not done */
export function say(what, bad = false) {
  said = what;
  failed = bad;
  redraw();
}

/** Says nothing any more. */
export function hush() {
  said = null;
  redraw();
}

export const saidView = () => html`<div class="outcome" role="status" data-test="outcome" data-failed=${failed ? 'yes' : 'no'}>
  ${said ? html`<p>${said()}</p><button type="button" class="quiet small" data-test="hush" @click=${hush}>${t('console_close')}</button>` : nothing}
</div>`;

onForget(() => {
  said = null;
});
