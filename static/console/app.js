// What the console's pages share: who the person is, what is asked of the
// server, and the changes as they come.
import { link } from '../connection.js';
import { onForget } from '../page.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").Document} Document */
/** @typedef {import("../../wasmclient/hufu.d.ts").HufuError} HufuError */
/** @typedef {import("../../wasmclient/hufu.d.ts").Session} Session */

/**
 * A change, as docs/protocol.md §12 has it. Of kind "lost" when changes are
 * missing: what a page shows is then to be asked for anew.
 * @typedef {{ n: number, at: number, kind: string, outlet?: string, seckeyid?: number, state?: number, reason?: number, by?: string, note?: string }} Change
 */

/** The person may act, and not only look. */
export const mayAct = () => link.session?.info.role === 'operator';

/** Who the person is. */
export const myself = () => link.session?.info.clientId ?? '';

/** @param {unknown} error */
export const codeOf = (error) => /** @type {Partial<HufuError>} */ (error).code ?? 'internal';

/**
 * Has an operation done. Where nothing on this connection can seal its answer,
 * it agrees on a key first: the one of the opening may have ended.
 * @template {object} Reply
 * @param {Document} op
 * @returns {Promise<Reply>}
 */
export async function administer(op) {
  const { session } = link;
  if (!session) throw Object.assign(new Error('console: locked'), { code: 'closed' });
  try {
    return /** @type {Reply} */ (await session.administer(op));
  } catch (error) {
    if (codeOf(error) !== 'error-9') throw error;
    await session.negotiate();
    return /** @type {Reply} */ (await session.administer(op));
  }
}

/**
 * Tells the answer to the latest question from those to earlier ones.
 * @returns {{ next: () => () => boolean, stop: () => void }} next: begins one, and says whether it is the latest still
 */
export function questions() {
  let turn = 0;
  return {
    next() {
      const mine = ++turn;
      return () => mine === turn;
    },
    stop() {
      turn++;
    },
  };
}

/** @type {Set<(change: Change) => void>} */
const listeners = new Set();

/** Has f called with every change from now on. @param {(change: Change) => void} f @returns {() => void} ends it */
export function onChange(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

/** @type {Session | null} */
let watched = null;

/**
 * Has changes told from the first connection of a session on: the later ones resume by themselves.
 * @returns {Promise<boolean>} they begin with this connection
 */
export async function watch() {
  const { session } = link;
  if (!session || watched === session) return false;
  await session.watch((change) => listeners.forEach((f) => f(/** @type {Change} */ (change))));
  watched = session;
  return true;
}

/** Has an operator's connection agree on a key, under which new tokens travel sealed. */
export async function agree() {
  if (mayAct()) await link.session?.negotiate();
}

onForget(() => {
  watched = null;
});
