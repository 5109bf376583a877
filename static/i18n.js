// The texts of the catalog in the language of the person, and the forms in
// which numbers and times are written.
import { redraw } from './page.js';

/** @typedef {"en" | "zh"} Lang */

const stored = 'hufu.lang';

/** @type {Lang} */
let lang = 'en';
/** @type {Record<string, string>} */
let texts = {};

export const language = () => lang;

/** The language to begin with. @returns {Lang} */
export function wanted() {
  const asked = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem(stored);
  for (const name of [asked, ...navigator.languages]) {
    if (/^en/i.test(name ?? '')) return 'en';
    if (/^zh/i.test(name ?? '')) return 'zh';
  }
  return 'en';
}

/** @type {Map<Lang, Record<string, string>>} */
const fetched = new Map();

/** Fetches the texts of a language, for when there may be no connection. @param {Lang} name */
async function prepare(name) {
  if (fetched.has(name)) return;
  const reply = await fetch(new URL(`text.${name}.json`, import.meta.url));
  if (!reply.ok) throw new Error(`text.${name}.json: ${reply.status}`);
  fetched.set(name, await reply.json());
}

/** @returns {Lang} */
const other = () => (lang === 'en' ? 'zh' : 'en');

/** Fetches the other language. */
export const prepareOther = () => prepare(other());

/** Shows the page in a language. @param {Lang} name */
export async function speak(name) {
  await prepare(name);
  texts = fetched.get(name) ?? {};
  lang = name;
  document.documentElement.lang = name === 'zh' ? 'zh-Hans' : 'en';
  redraw();
}

/** Takes the other language, for good. */
export async function switchLanguage() {
  const name = other();
  await speak(name);
  localStorage.setItem(stored, name);
  const url = new URL(location.href);
  if (url.searchParams.has('lang')) {
    url.searchParams.set('lang', name);
    history.replaceState(null, '', url);
  }
}

/**
 * The text with that key, filled in.
 * @param {string} key
 * @param {...(string | number)} args
 */
export function t(key, ...args) {
  let next = 0;
  return (texts[key] ?? key).replace(/%(?:\[(\d+)\])?[sd]/g, (_, place) => {
    if (place) next = Number(place) - 1;
    return String(args[next++]);
  });
}

/** @param {string} key */
export const has = (key) => key in texts;

/** A number with its thousands apart. @param {number} n */
export const number = (n) => n.toLocaleString(lang).replaceAll(',', '\u202f');

/** @param {number} n */
export const bytes = (n) => `${number(n)} B`;

const two = (/** @type {number} */ n) => String(n).padStart(2, '0');

/** A day of this machine's calendar. @param {number | Date} at */
export function day(at) {
  const d = new Date(at);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** @param {number} at */
export function clock(at) {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** @param {number} at */
export const moment = (at) => `${day(at)} ${clock(at)}`;

/** A span of time in its two greatest units. @param {number} ms */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  const parts = [[Math.floor(s / 86400), 'page_days'], [Math.floor(s / 3600) % 24, 'page_hours'],
    [Math.floor(s / 60) % 60, 'page_minutes'], [s % 60, 'page_seconds']];
  const from = parts.findIndex(([n]) => n);
  return (from < 0 ? parts.slice(3) : parts.slice(from, from + 2).filter(([n], i) => n || !i))
    .map(([n, unit]) => t(String(unit), n)).join(' ');
}

/** Hexadecimal digits in groups of four. @param {string} hex */
export const grouped = (hex) => hex.replace(/(.{4})(?=.)/g, '$1 ');
