// The person plays the proxy on the next message of a direction.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { isOpen, link, onMessage, onStatus } from './connection.js';
import { t } from './i18n.js';
import { doing, negotiate, newestKey, toldElsewhere, verify } from './keys.js';
import { onForget } from './page.js';
import { newest, take } from './sequence.js';

/** @typedef {import("./sequence.js").Tampered} Tampered */
/** @typedef {"up" | "down"} Direction */

const tampering = {
  /** @type {Direction} */
  direction: 'up',
  /** @type {Tampered} */
  action: 'flip',
  /** It was done, and waits to be noticed. */
  waiting: false,
  /** How it was noticed: a text's key. */
  verdict: '',
  /** By what: a check's name, or a close code. */
  sign: '',
};

let armed = false;
/** @type {import("./sequence.js").Message | null} */
let victim = null;

/** Tampers with the next message, and has one sent. */
async function play() {
  if (!link.session || doing.action) return;
  armed = tampering.waiting = true;
  tampering.verdict = '';
  victim = null;
  await link.session.tamper(tampering.direction, tampering.action);
  const key = newestKey();
  await (key ? verify(key.seckeyid) : negotiate());
  if (tampering.verdict) toldElsewhere();
}

onMessage((message) => {
  if (!armed || message.event.sent !== (tampering.direction === 'up')) return;
  message.tampered = tampering.action;
  victim = message;
  armed = false;
});

/** An answer that did not come, or could not be read, and so was not traced. */
function unread() {
  const asked = newest((m) => m.event.sent);
  const message = take({ at: Date.now(), sent: false, name: asked?.event.name ?? '', size: 0, fields: [] }, asked);
  message.tampered = tampering.action;
  return message;
}

onStatus((status) => {
  if (!tampering.waiting || status.state !== 'waiting') return;
  armed = tampering.waiting = false;
  tampering.sign = status.check ?? String(status.closeCode ?? status.code);
  tampering.verdict = `page_noticed_${tampering.direction}_${tampering.action}`;
  victim ??= unread();
  victim.verdict = tampering.verdict;
  victim.noticedBy = tampering.direction === 'up' && tampering.action !== 'drop' ? 'there' : 'here';
  toldElsewhere();
});

onForget(() => {
  armed = tampering.waiting = false;
  tampering.verdict = '';
  victim = null;
});

/** @type {[Direction, Tampered][]} */
const tricks = [['up', 'flip'], ['up', 'replay'], ['up', 'drop'], ['down', 'flip'], ['down', 'replay'], ['down', 'drop']];

/** @param {Event} e */
function choose(e) {
  const [direction, action] = /** @type {HTMLSelectElement} */ (e.target).value.split(' ');
  tampering.direction = /** @type {Direction} */ (direction);
  tampering.action = /** @type {Tampered} */ (action);
}

export const tamperView = () => html`<section class="tampering" aria-labelledby="tamper-title">
  <h2 id="tamper-title">${t('page_tamper')}</h2>
  <p>${t('page_tamper_lede')}</p>
  <div class="row">
    <label>${t('page_tamper_what')}
      <select data-test="tamper-what" @change=${choose}>
        ${tricks.map(([direction, action]) => html`<option value=${`${direction} ${action}`}>${t(`page_tamper_${direction}_${action}`)}</option>`)}
      </select></label>
    <button type="button" data-test="tamper" ?disabled=${!isOpen() || doing.action !== '' || tampering.waiting} @click=${play}>${t('page_tamper_do')}</button>
  </div>
  <div role="status" data-test="tamper-verdict">
    ${tampering.waiting ? html`<p class="dim busy">${t(tampering.action === 'drop' ? 'page_tamper_silence' : 'page_tamper_waiting')}</p>` : nothing}
    ${tampering.verdict ? html`<p class="verdict">${t(tampering.verdict)} <code>${tampering.sign}</code></p>` : nothing}
  </div>
</section>`;
