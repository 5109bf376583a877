// A sentence of the person's, sealed under the agreed key and opened again.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { link } from './connection.js';
import { failureText } from './failure.js';
import { bytes, grouped, t } from './i18n.js';
import { currentKey } from './keys.js';
import { onForget, redraw } from './page.js';

export const word = {
  seckeyid: 0,
  /** @type {Uint8Array | null} */
  sealed: null,
  /** What it opened to. */
  opened: '',
  /** @type {(() => string) | null} */
  failure: null,
};

/** @param {string} text */
export async function seal(text) {
  const key = currentKey();
  if (!link.session || !key || !text) return;
  Object.assign(word, { seckeyid: key.seckeyid, sealed: null, opened: '', failure: null });
  try {
    word.sealed = await link.session.seal(key.seckeyid, text);
  } catch (error) {
    word.failure = () => failureText(error);
  }
  redraw();
}

export async function open() {
  if (!link.session || !word.sealed) return;
  word.opened = '';
  word.failure = null;
  try {
    word.opened = await link.session.open(word.seckeyid, word.sealed);
  } catch (error) {
    const { code } = /** @type {import("../wasmclient/hufu.d.ts").HufuError} */ (error);
    word.failure = () => (code === 'no-key' ? t('page_word_no_key', word.seckeyid) : failureText(error));
  }
  redraw();
}

/** What is sealed, as hexadecimal digits. */
const sealedHex = () => Array.from(word.sealed ?? [], (b) => b.toString(16).padStart(2, '0')).join('');

onForget(() => Object.assign(word, { seckeyid: 0, sealed: null, opened: '', failure: null }));

/** @param {SubmitEvent} e */
function submitted(e) {
  e.preventDefault();
  seal(String(new FormData(/** @type {HTMLFormElement} */ (e.target)).get('word')));
}

export const wordView = () => html`<section class="word" aria-labelledby="word-title">
  <div>
    <h2 id="word-title">${t('page_word')}</h2>
    <p>${t('page_word_lede')}</p>
    <form class="row" @submit=${submitted}>
      <label>${t('page_word_text')} <input name="word" data-test="word" required maxlength="200" autocomplete="off"></label>
      <button data-test="seal" ?disabled=${!currentKey()}>${currentKey() ? t('page_word_seal', currentKey()?.seckeyid ?? 0) : t('page_word_no_seal')}</button>
    </form>
  </div>
  <div>
    <div class="sealed">
      <h3>${t('page_word_proxy')} ${word.sealed ? html`<span class="dim">${bytes(word.sealed.length)}</span>` : nothing}</h3>
      ${word.sealed ? html`<p class="hex" data-test="sealed">${grouped(sealedHex())}</p>
        <button type="button" data-test="open-word" @click=${open}>${t('page_word_open', word.seckeyid)}</button>`
        : html`<p class="dim">${t('page_word_nothing')}</p>`}
    </div>
    <div role="status" data-test="word-outcome">
      ${word.opened ? html`<p class="opened"><q>${word.opened}</q></p>` : nothing}
      ${word.failure ? html`<p class="verdict">${word.failure()}</p>` : nothing}
    </div>
  </div>
</section>`;

onForget(() => Object.assign(word, { seckeyid: 0, sealed: null, opened: '', failure: null }));
