// The page: its frame, and what is drawn in it when.
import { html, nothing, render } from './vendor/lit-html/lit-html.js';
import { isOpen, isStaff, link } from './connection.js';
import { figure } from './figure.js';
import { historyView } from './history-view.js';
import { language, prepareOther, speak, switchLanguage, t, wanted } from './i18n.js';
import { panel } from './keys-view.js';
import { lock, watch } from './lock.js';
import { announcement, notices } from './notice.js';
import { drawWith, redraw } from './page.js';
import { revokeDialog } from './revoke.js';
import { staffTitle, staffView } from './staff.js';
import { tamperView } from './tamper.js';
import { find } from './token.js';
import { start } from './token-view.js';
import { wordView } from './word.js';

const mark = new URL('mark.svg', import.meta.url).href;

/** The address is the console's state, and stays. @param {Event} e */
function skip(e) {
  e.preventDefault();
  document.getElementById('main')?.focus();
}

const header = () => html`<header>
  <a class="skip" href="#main" @click=${skip}>${t('page_skip')}</a>
  <p class="brand"><img src=${mark} alt="" width="28" height="28">Hufu <span lang="zh-Hans">虎符</span></p>
  ${link.known ? html`<p class="peer" data-test="peer" data-open=${isOpen() ? 'yes' : 'no'}>
    <b>${link.session?.info.clientId}</b> <span class="dim">${t(isOpen() ? 'page_at' : 'page_not_at')}</span> <b>${link.session?.info.serverId}</b></p>` : nothing}
  <button type="button" class="quiet" data-test="language" lang=${language() === 'en' ? 'zh-Hans' : 'en'} @click=${switchLanguage}>${language() === 'en' ? '中文' : 'English'}</button>
  ${link.session ? html`<button type="button" data-test="lock" @click=${() => lock('button')}>${t('page_lock')}</button>` : nothing}
</header>`;

const session = () => html`
  <h1 class="hidden">${t('page_title')}</h1>
  <div class="notices">${notices()}</div>
  <div class="bench">${panel()}${figure()}${tamperView()}</div>
  ${wordView()}
  ${historyView()}
  ${revokeDialog()}`;

const page = () => html`${header()}
  <main id="main" tabindex="-1">${link.known ? (isStaff() ? staffView() : session()) : start()}</main>
  <p class="hidden" role="status">${announcement()}</p>
  <footer class="dim"><p>${t('page_footer')}</p></footer>`;

async function begin() {
  await speak(wanted());
  const root = /** @type {HTMLElement} */ (document.getElementById('page'));
  root.replaceChildren();
  drawWith(() => {
    document.title = isStaff() ? staffTitle() : t('page_title');
    render(page(), root);
  });
  redraw();
  find();
  prepareOther().catch(() => {}); // the switch tries again
  setInterval(() => {
    watch();
    if (link.session) redraw();
  }, 1000);
}

if (!document.documentElement.classList.contains('old')) begin();
