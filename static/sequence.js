// What went over the wire, in runs: a run is what one action of the person's,
// or of the connection's own, sent and received.
import { onForget, redraw } from './page.js';

/** @typedef {import("../wasmclient/hufu.d.ts").TraceEvent} TraceEvent */
/** @typedef {"flip" | "replay" | "drop"} Tampered */

/**
 * @typedef {object} Message
 * @property {number} id
 * @property {TraceEvent} event
 * @property {Tampered} [tampered] what the person, as the proxy, did to it
 * @property {string} [verdict] how that was noticed: a text's key
 * @property {"here" | "there"} [noticedBy] at which end
 * @property {number} [seckeyid] the key that a reply is about
 * @property {string} [fingerprint] what this end computed on receiving it
 * @property {string} [record] the fingerprint that the server's record shows
 */

/**
 * @typedef {object} Run
 * @property {number} id
 * @property {string} kind connect, reconnect, negotiate, verify, revoke, between
 * @property {boolean} open
 * @property {Message[]} messages
 */

const kept = 30;

/** @type {Run[]} */
let runs = [];
/** @type {Run | null} */
let current = null;
let lastId = 0;

export const allRuns = () => runs;

/** Begins a run of the person's, and folds the earlier ones. @param {string} kind @returns {Run} */
export function begin(kind) {
  for (const run of runs) run.open = false;
  redraw();
  return (current = add(kind, true));
}

/** Begins a run of the connection's own, folded. @param {string} kind */
export function beginUnasked(kind) {
  current = add(kind, false);
  redraw();
}

/** The run that is under way; null: there is none. */
export const present = () => current;

/** Ends a run, unless another has begun meanwhile: what comes now belongs to no action. @param {Run | null} run */
export function end(run) {
  if (current === run) current = null;
}

/** @param {string} kind @param {boolean} open @returns {Run} */
function add(kind, open) {
  const run = { id: ++lastId, kind, open, messages: [] };
  runs = [...runs.filter((r) => r.messages.length).slice(1 - kept), run];
  return run;
}

/**
 * Takes a message as it is sent or received.
 * @param {TraceEvent} event @param {Message} [beside] of whose run it is; else of the present one @returns {Message}
 */
export function take(event, beside) {
  const its = beside && runs.find((r) => r.messages.includes(beside));
  const run = its ?? current ?? (runs.at(-1)?.kind === 'between' ? /** @type {Run} */ (runs.at(-1)) : add('between', false));
  /** @type {Message} */
  const message = { id: ++lastId, event };
  run.messages = [...run.messages.slice(1 - kept), message];
  redraw();
  return message;
}

/** The newest message that fits. @param {(m: Message) => boolean} fits */
export function newest(fits) {
  for (const run of runs.toReversed()) {
    const found = run.messages.findLast(fits);
    if (found) return found;
  }
}

/** A field's value. @param {TraceEvent} event @param {string} name */
export const valueOf = (event, name) => event.fields.find((f) => f.name === name)?.value;

onForget(() => {
  runs = [];
  current = null;
});
