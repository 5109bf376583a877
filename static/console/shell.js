// The console's frame: the navigation, the page that the address names, and
// what is said and asked over it.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { isOpen, link } from '../connection.js';
import { failureText } from '../failure.js';
import { t } from '../i18n.js';
import { notices } from '../notice.js';
import { onForget, redraw } from '../page.js';
import { agree, onChange, watch } from './app.js';
import { askDialog } from './ask.js';
import { pages } from './pages.js';
import { address, here, onRoute } from './route.js';
import { hush, say, saidView } from './said.js';
import { goes, shortcut, typed } from './shortcuts.js';
import { tokenDialog } from './token-once.js';

/** @typedef {import("./pages.js").Page} Page */

/** @type {Page | null} the page that is mounted */
let shown = null;

/** Mounts the page that the address names, or tells the mounted one that its address changed. */
function follow() {
  const route = here();
  const page = pages[route.page] ?? null;
  if (page === shown) {
    page?.update(route);
  } else {
    shown?.unmount();
    shown = page;
    page?.mount(route);
    hush();
    setTimeout(() => document.getElementById('main')?.focus({ preventScroll: true }));
    scrollTo(0, 0);
  }
  redraw();
}

/** What the tab is called. */
export const title = () => (shown ? t('console_title', shown.title(here())) : t('console_name'));

/** @param {[string, Page]} entry */
function navLink([name, page]) {
  if (!page.nav) return nothing;
  const current = shown === page || shown?.within === name;
  return html`<li><a href=${address(name)} data-test=${`nav-${name}`} aria-current=${current ? 'page' : nothing}>${t(page.nav)}</a></li>`;
}

const lost = () => html`<section class="lost"><h1>${t('console_lost')}</h1>
  <p><a href=${address('overview')}>${t('console_lost_go')}</a></p></section>`;

export const consoleView = () => html`
  <nav class="nav" aria-label=${t('console_nav')}><ul>${Object.entries(pages).map(navLink)}</ul></nav>
  <div class="notices">${notices()}</div>
  ${saidView()}
  <div class="console" data-test="page" data-page=${shown ? here().page : 'lost'}>${shown ? shown.view() : lost()}</div>
  ${askDialog()}${tokenDialog()}`;

/** A connection has opened. */
export async function arrived() {
  if (!shown) follow();
  let begins = false;
  try {
    begins = await watch();
    await agree();
  } catch (error) {
    if (link.session && isOpen()) say(() => failureText(error), true);
  }
  shown?.opened?.(begins);
}

for (const [name, page] of Object.entries(pages)) {
  if (page.key) goes(page.key, name);
}
shortcut('?', () => {
  location.hash = address('help');
});

onChange((change) => shown?.changed?.(change));
onRoute(() => link.session && follow());
addEventListener('keydown', (e) => link.session && typed(e));

onForget(() => {
  shown?.unmount();
  shown = null;
});
