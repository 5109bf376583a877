// The lock: by button, and by itself after minutes without a touch. It wipes
// the session and the token.
import { leave, link } from './connection.js';
import { focusOn } from './page.js';
import { token } from './token.js';

const minute = 60_000;
let touched = Date.now();

export const locked = {
  /** @type {"" | "button" | "idle"} why the page is locked */
  why: '',
};

/** Minutes until it locks by itself, as the page says. */
const idleMinutes = () => Number(/** @type {HTMLMetaElement} */ (document.querySelector('meta[name=hufu-idle-minutes]')).content);

/** Milliseconds until it locks by itself. */
export const locksIn = () => touched + idleMinutes() * minute - Date.now();

/** @param {"button" | "idle"} why */
export function lock(why) {
  leave();
  locked.why = why;
  focusOn('[data-test=token]');
}

export const stay = () => {
  touched = Date.now();
};

/** Locks if it is time; called every second. */
export function watch() {
  if ((link.session || token.text) && locksIn() <= 0) lock('idle');
}

for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
  addEventListener(event, () => {
    watch(); // a machine that slept locks before its first touch counts
    stay();
  }, { passive: true });
}
