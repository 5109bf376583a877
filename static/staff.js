// The console of operators and auditors, fetched when one of them comes.
import { html } from './vendor/lit-html/lit-html.js';
import { isStaff, onOpen, onSession } from './connection.js';
import { failureText } from './failure.js';
import { t } from './i18n.js';
import { redraw } from './page.js';

/** @typedef {typeof import("./console/shell.js")} Shell */

/** @type {Shell | null} */
let shell = null;
/** @type {Promise<Shell> | undefined} */
let loading;
let failed = false;

/** Fetches it; what failed is tried anew by the next call. @returns {Promise<Shell>} */
function load() {
  failed = false;
  loading ??= import('./console/shell.js').catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function enter() {
  try {
    shell = await load();
    if (isStaff()) await shell.arrived();
  } catch (error) {
    failed = true;
    console.error(error); // the browser tells no more than that it did not come
  }
  redraw();
}

onSession(() => {
  if (isStaff()) load().catch(() => {}); // enter tells
});
onOpen(async () => {
  if (isStaff()) await enter();
});

export const staffTitle = () => shell?.title() ?? t('page_title');

export function staffView() {
  if (shell) return shell.consoleView();
  if (failed) {
    return html`<p role="alert" class="verdict">${failureText({ code: 'network' })}
      <button type="button" class="small" @click=${enter}>${t('page_again')}</button></p>`;
  }
  return html`<p class="busy" role="status">${t('console_loading')}</p>`;
}
