// What happens at either end around a message: what stays there, unseen.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { grouped, t } from './i18n.js';
import { valueOf } from './sequence.js';

/** @typedef {import("./sequence.js").Message} Message */

/**
 * What one end says: the text, what it keeps to itself, and what it has found out.
 * @typedef {{ text?: string, secrets?: string[], fingerprint?: string }} Note
 */

/** The notes at this end and at the server. @param {Message} message @returns {{ here?: Note, there?: Note }} */
function notes({ event, fingerprint, record }) {
  if ((valueOf(event, 'error') ?? 'ok') !== 'ok') return { there: { text: t('page_note_refused') } };
  switch (`${event.name} ${event.sent ? 'sent' : 'received'}`) {
    case 'hello received':
      return { there: { text: t('page_note_hello') } };
    case 'open sent':
      return { here: { text: t('page_note_open'), secrets: [t('page_secret_token')] } };
    case 'open received':
      return { there: { text: t('page_note_opened'), secrets: [t('page_secret_token')] } };
    case 'negotiate sent':
      return { here: { text: t('page_note_half_here'), secrets: [t('page_secret_private')] } };
    case 'negotiate received':
      return {
        there: { text: t('page_note_half_there'), secrets: [t('page_secret_private'), t('page_secret_key')] },
        here: { text: t('page_note_key_here'), secrets: [t('page_secret_key')], fingerprint },
      };
    case 'verify sent':
      return { here: { text: t('page_note_proof_here') } };
    case 'verify received':
      return { there: { text: t('page_note_proof_there') } };
    case 'revoke received':
      return { there: { text: t('page_note_revoked_there') } };
    case 'receipt sent':
      return { here: { text: t('page_note_wiped_here') } };
    case 'view received':
      return record ? { there: { text: t('page_note_record'), fingerprint: record } } : {};
    case 'push received':
      return { there: { text: t('page_note_push') } };
  }
  return {};
}

/** @param {Note | undefined} note @param {"here" | "there"} end @param {string | undefined} verdict */
function noteView(note, end, verdict) {
  if (!note && !verdict) return html`<div class="end ${end} bare"></div>`;
  return html`<div class="end ${end}">
    ${note?.text ? html`<p>${note.text}</p>` : nothing}
    ${verdict ? html`<p class="verdict">${t(verdict)}</p>` : nothing}
    ${note?.secrets?.map((name) => html`<p class="secret"><span class="veil" aria-hidden="true"></span>${name}</p>`)}
    ${note?.fingerprint ? html`<p class="found">${t('page_fingerprint')} <b class="hex">${grouped(note.fingerprint)}</b></p>` : nothing}
  </div>`;
}

/** Both ends' notes, as parts of a message's row. @param {Message} message */
export function ends(message) {
  const { here, there } = notes(message);
  const used = message.event.sent || !message.verdict; // a bad answer leads to nothing here
  const verdict = (/** @type {"here" | "there"} */ end) => (message.noticedBy === end ? message.verdict : undefined);
  return { here: noteView(used ? here : undefined, 'here', verdict('here')), there: noteView(there, 'there', verdict('there')) };
}
