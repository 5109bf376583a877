// The console's pages, by the first word of their address, in the order of the
// navigation.
import { events } from './events.js';
import { help } from './help.js';
import { historyPage } from './history.js';
import { keyPage } from './key.js';
import { outlet } from './outlet.js';
import { outlets } from './outlets.js';
import { overview } from './overview.js';

/** @typedef {import("./app.js").Change} Change */
/** @typedef {import("./route.js").Route} Route */

/**
 * A page. It is drawn with everything else: after a change it calls redraw of page.js.
 * @typedef {object} Page
 * @property {(route: Route) => string} title in the person's language
 * @property {string} [nav] its text in the navigation, a key of the catalog; without one it is reached by links only
 * @property {string} [within] the page whose entry in the navigation is marked instead
 * @property {string} [key] the letter after g that goes there
 * @property {(route: Route) => void} mount it comes to be shown
 * @property {(route: Route) => void} update its address has changed
 * @property {() => void} unmount it is left, or the session is: it forgets
 * @property {(begins: boolean) => void} [opened] a connection has opened: what failed without one is asked for again;
 *   begins: changes are told from now on, and what came before may be missing in what was read
 * @property {(change: Change) => void} [changed] a change came while it is shown; of kind "lost" if some are missing
 * @property {() => unknown} view
 */

/** @type {Record<string, Page>} */
export const pages = { overview, outlets, outlet, history: historyPage, key: keyPage, events, help };
