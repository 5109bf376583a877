// The keyboard's shortcuts: single keys, which whoever speaks to the machine can
// turn off (WCAG 2.1.4).
import { redraw } from '../page.js';
import { address, navigate } from './route.js';

const stored = 'hufu.shortcuts';
const waits = 1500; // ms that g waits for its letter

/** @type {Map<string, () => void>} by what is typed: "g o", "/", "?" */
const all = new Map();

/** Makes keys do something; the last word of two pages counts. @param {string} keys @param {() => void} what */
export const shortcut = (keys, what) => all.set(keys, what);

/** Makes g and a letter go to a page. @param {string} letter @param {string} page */
export const goes = (letter, page) => shortcut(`g ${letter}`, () => navigate(address(page)));

export const shortcutsOn = () => localStorage.getItem(stored) !== 'off';

/** Turns them on or off, for good. @param {boolean} on */
export function turnShortcuts(on) {
  if (on) localStorage.removeItem(stored);
  else localStorage.setItem(stored, 'off');
  redraw();
}

let first = '';
let at = 0;

/** @param {KeyboardEvent} e */
export function typed(e) {
  const target = /** @type {HTMLElement} */ (e.target);
  if (!shortcutsOn() || e.ctrlKey || e.altKey || e.metaKey || e.isComposing || target.closest('input, select, textarea, dialog')) return;
  const keys = first && e.timeStamp - at < waits ? `${first} ${e.key}` : e.key;
  first = e.key === 'g' && keys === 'g' ? 'g' : '';
  at = e.timeStamp;
  const what = all.get(keys);
  if (!what) return;
  e.preventDefault();
  what();
}
