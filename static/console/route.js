// The address is the state: #/page/argument/…?name=value. A token in the
// fragment never comes here: first.js has taken it.
import { redraw } from '../page.js';

/**
 * @typedef {object} Route
 * @property {string} page its name, as in pages.js
 * @property {string[]} args what follows it
 * @property {URLSearchParams} query
 */

/** Where the address is. @returns {Route} */
export function here() {
  const [path, query] = /^#\//.test(location.hash) ? location.hash.slice(2).split(/\?(.*)/s) : [''];
  const [page, ...args] = path.split('/').map(decoded);
  return { page: page || 'overview', args, query: new URLSearchParams(query) };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand, and no page's
  }
}

/**
 * The address of a page, for a link. What is empty or undefined is left out of the query.
 * @param {string} page
 * @param {(string | number)[]} [args]
 * @param {Record<string, string | number | boolean | undefined>} [query]
 */
export function address(page, args = [], query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const path = [page, ...args].map((part) => encodeURIComponent(part)).join('/');
  return `#/${path}${search.size ? `?${search}` : ''}`;
}

/** @type {(() => void)[]} */
const watchers = [];

/** @param {() => void} f */
export const onRoute = (f) => watchers.push(f);

function moved() {
  watchers.forEach((f) => f());
  redraw();
}

addEventListener('hashchange', moved);

/** Goes to an address. @param {string} to as address makes it */
export function navigate(to) {
  if (location.hash !== to) location.hash = to;
}

/** Changes the address of what is shown, leaving no step in the tab's history: for what is typed. @param {string} to */
export function replace(to) {
  if (location.hash === to) return;
  history.replaceState(null, '', to);
  moved();
}
