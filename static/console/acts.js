// What an operator does to an outlet. Each act asks first, says what came of
// it, and returns true if the outlet is to be read again.
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { link } from '../connection.js';
import { failureText } from '../failure.js';
import { t } from '../i18n.js';
import { administer, codeOf, myself } from './app.js';
import { ask } from './ask.js';
import { say } from './said.js';
import { showToken } from './token-once.js';

/** @typedef {import("./marks.js").OutletRow} OutletRow */

/** What the server answers to enrol and newsecret; without a token: nothing was done. @typedef {{ id: string, role: number, epoch: number, token?: string }} Issued */

/** Says that it failed. Whether it was done may be unknown. @param {unknown} error @param {string} id @returns {true} */
function sayFailed(error, id) {
  say(() => (codeOf(error) === 'error-2' ? t('console_unknown', id) : failureText(error)), true);
  return true;
}

const pattern = '[0-9A-Za-z_.\\-]{1,11}';

/** Enrols a new outlet, or a person. @returns {Promise<string>} whom, or empty */
export async function enrol() {
  let id = '';
  let role = 1;
  let failure = () => '';
  for (;;) {
    const chosen = role;
    const answer = await ask({
      title: () => t('console_enrol_title'),
      yes: () => t('console_enrol'),
      fields: () => html`
        <label>${t('console_enrol_id')} <input name="id" data-test="enrol-id" required pattern=${pattern} maxlength="11" .value=${id} autocomplete="off"
          autocapitalize="characters" spellcheck="false" aria-describedby="enrol-help"></label>
        ${failure() ? html`<p role="alert" class="verdict" data-test="enrol-failure">${failure()}</p>` : nothing}
        <p id="enrol-help" class="dim">${t('console_enrol_help')}</p>
        <fieldset class="choice"><legend>${t('console_role')}</legend>
          ${[1, 2, 3].map((n) => html`<label class="check"><input type="radio" name="role" value=${n} ?checked=${n === chosen} data-test=${`enrol-role-${n}`}>
            <span><b>${t(['', 'role_outlet', 'role_operator', 'role_auditor'][n])}</b> <span class="dim">${t(`console_role_${n}`)}</span></span></label>`)}
        </fieldset>`,
    });
    if (!answer) return '';
    id = String(answer.get('id')).trim();
    role = Number(answer.get('role'));
    try {
      await issue(/** @type {Issued} */ (await administer({ op: 'enrol', id, role })));
      say(() => t('console_said_enrolled', id));
      return id;
    } catch (error) {
      if (!link.session) return '';
      const code = codeOf(error);
      failure = () => (code === 'error-1' ? t('console_enrol_taken', id) : code === 'lost' ? t('console_enrol_lost', id) : failureText(error));
    }
  }
}

/** @param {Issued} issued @returns {Promise<boolean>} there was a token */
async function issue(issued) {
  const { token } = issued;
  if (token === undefined) return false;
  await showToken({ ...issued, token });
  return true;
}

/** Makes a new secret; cut: what was before is good no longer. @param {OutletRow} row @param {boolean} cut */
export async function newSecret(row, cut) {
  const { id, epoch } = row;
  const yes = await ask(cut
    ? { title: () => t('console_cut_title', id), text: () => t('console_cut_text', id), yes: () => t('console_cut'), grave: true }
    : { title: () => t('console_secret_title', id), text: () => t('console_secret_text', id), yes: () => t('console_secret') });
  if (!yes) return false;
  try {
    if (await issue(/** @type {Issued} */ (await administer({ op: 'newsecret', id, cut, epoch })))) {
      say(() => t(cut ? 'console_said_cut' : 'console_said_secret', id));
    } else {
      say(() => t('console_said_stale', id), true);
    }
  } catch (error) {
    if (codeOf(error) !== 'lost') return sayFailed(error, id);
    say(() => t('console_secret_lost', id), true);
  }
  return true;
}

/** Disables an outlet or enables it again. @param {OutletRow} row @param {boolean} on */
export async function enable(row, on) {
  const { id } = row;
  const yes = await ask(on
    ? { title: () => t('console_enable_title', id), text: () => t('console_enable_text', id), yes: () => t('console_enable') }
    : { title: () => t('console_disable_title', id), text: () => t('console_disable_text', id), yes: () => t('console_disable'), grave: true });
  if (!yes) return false;
  try {
    const { changed } = /** @type {{ changed: boolean }} */ (await administer({ op: on ? 'enable' : 'disable', id }));
    if (changed) say(() => t(on ? 'console_said_enabled' : 'console_said_disabled', id));
    else say(() => t(on ? 'console_said_enabled_before' : 'console_said_disabled_before', id), true);
  } catch (error) {
    return sayFailed(error, id);
  }
  return true;
}

/** Nobody disables or cuts themselves off. @param {OutletRow} row */
export const isMyself = (row) => row.id === myself();
