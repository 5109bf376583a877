// Times by the server's clock, beside this machine's.
import { html } from '../vendor/lit-html/lit-html.js';
import { link } from '../connection.js';
import { language, moment, t } from '../i18n.js';

/** Now, by the server's clock, in ms since 1970. */
export const now = () => Date.now() + (link.status.clockOff ?? 0);

/** @type {[number, Intl.RelativeTimeFormatUnit][]} */
const units = [[86_400_000, 'day'], [3_600_000, 'hour'], [60_000, 'minute']];

/** How long ago, in one unit. @param {number} at */
function agoText(at) {
  const ms = Math.max(0, now() - at);
  const unit = units.find(([size]) => ms >= size);
  if (!unit) return t('console_just_now');
  return new Intl.RelativeTimeFormat(language()).format(-Math.floor(ms / unit[0]), unit[1]);
}

/** A time as how long ago it was, the moment on pointing. @param {number} at */
export const ago = (at) => html`<time datetime=${new Date(at).toISOString()} title=${moment(at)}>${agoText(at)}</time>`;
