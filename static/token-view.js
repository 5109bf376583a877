// The page before a connection: what this is, and the token.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { leave, link } from './connection.js';
import { failureText } from './failure.js';
import { t } from './i18n.js';
import { locked } from './lock.js';
import { waiting } from './notice.js';
import { redraw } from './page.js';
import { mask } from './tally.js';
import { fromFile, token, use } from './token.js';

/** @param {SubmitEvent} e */
function submitted(e) {
  e.preventDefault();
  locked.why = '';
  use();
}

/** @param {Event} e */
function typed(e) {
  token.text = /** @type {HTMLInputElement} */ (e.target).value;
  redraw();
}

/** @param {Event} e */
function chosen(e) {
  const input = /** @type {HTMLInputElement} */ (e.target);
  fromFile(input.files?.[0]);
  input.value = '';
}

function message() {
  if (link.failure) return failureText(link.failure);
  if (token.badFile) return t('page_bad_file');
  if (locked.why) return t(`page_locked_${locked.why}`);
  return token.fromAddress ? t('page_from_address') : '';
}

const form = () => html`<form class="token" @submit=${submitted} autocomplete="off">
  <p role="status" id="token-message" class="told" data-test="token-message">${message()}</p>
  <label for="token">${t('page_token')}</label>
  <div class="row">
    <input id="token" class="masked hex" data-test="token" .value=${token.text} @input=${typed} placeholder="hufu1_…"
      required autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="token-message token-help">
    <label class="button file">${t('page_token_file')}<input type="file" data-test="token-file" @change=${chosen}></label>
  </div>
  <label class="check"><input type="checkbox" data-test="remember" .checked=${token.remember}
    @change=${(/** @type {Event} */ e) => { token.remember = /** @type {HTMLInputElement} */ (e.target).checked; }}>${t('page_remember')}</label>
  <button class="primary" data-test="connect">${t('page_connect')}</button>
  <p id="token-help" class="dim">${t('page_token_help')}<br><code>hufu-server outlet add BRANCH-01</code></p>
</form>`;

const trying = () => html`<div class="token" data-test="trying">
  ${link.loading ? html`<p class="busy" data-test="loading">${t('page_loading')}</p>`
    : link.status.state === 'waiting' ? waiting()
    : html`<p class="busy" data-test="connecting">${t('page_connecting')}</p>`}
  ${link.session ? html`<button type="button" data-test="cancel" @click=${leave}>${t('page_other_token')}</button>` : nothing}
</div>`;

/** Teeth that fit, for the picture of halves that are still apart. */
const motif = 'b46e3430d74b8279';

/** @param {1 | 2 | 3} n */
const step = (n) => html`<li><h2>${t(`page_step_${n}`)}</h2><p>${t(`page_step_${n}_text`)}</p></li>`;

export const start = () => html`<div class="start">
  <div class="pitch">
    <h1>${t('page_headline')}</h1>
    <p class="lede">${t('page_lede')}</p>
    ${link.loading || link.session ? trying() : form()}
  </div>
  <div class="show">${mask(motif, motif, false)}
    <p class="captions dim"><span>${t('page_half_browser')}</span><span>${t('page_half_server')}</span></p></div>
  <ol class="steps">${step(1)}${step(2)}${step(3)}</ol>
</div>`;
