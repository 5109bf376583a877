// Exporting the history: page after page out of the record into a file, as much
// in memory as one page, and no more.
import { link } from '../connection.js';
import { failureText } from '../failure.js';
import { t } from '../i18n.js';
import { onForget, redraw } from '../page.js';
import { csvHead, csvLine } from './csv.js';

/** @typedef {import("../../wasmclient/hufu.d.ts").Filter} Filter */
/** @typedef {import("../../wasmclient/hufu.d.ts").HufuError} HufuError */
/** @typedef {import("../../wasmclient/hufu.d.ts").Session} Session */

/**
 * Where the text goes. Nothing of it is kept unless close was called.
 * @typedef {{ write(text: string): Promise<void>, close(): Promise<void>, abort(): Promise<void> }} Sink
 */

const page = 500; // the server sends as many as fit one message
const again = 1000; // ms until a failed page is asked for anew

export const exporting = {
  /** @type {"" | "running" | "waiting" | "done" | "cancelled" | "failed"} waiting: for the connection */
  state: '',
  rows: 0,
  /** When the oldest key that is written was agreed. */
  reached: 0,
  /** Why it failed. */
  why: () => '',
};

/** @type {AbortController | null} */
let running = null;

/** The failures after which the same page is asked for anew: there was no connection, or the server was busy. */
const passing = new Set(['network', 'lost', 'silent', 'check', 'aged', 'refused', 'error-6']);

/** A file that the person chose, written as it comes. @param {FileSystemFileHandle} handle @returns {Promise<Sink>} */
async function fileSink(handle) {
  const stream = await handle.createWritable();
  return { write: (text) => stream.write(text), close: () => stream.close(), abort: () => stream.abort() };
}

/** A download, for browsers that let no page write a file. @param {string} name @returns {Sink} */
function downloadSink(name) {
  /** @type {Blob[]} which a browser may keep on its disk */
  let parts = [];
  return {
    async write(text) {
      parts.push(new Blob([text]));
    },
    async close() {
      const url = URL.createObjectURL(new Blob(parts, { type: 'text/csv;charset=utf-8' }));
      Object.assign(document.createElement('a'), { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    },
    async abort() {
      parts = [];
    },
  };
}

/** Asks where to write to; null: the person would rather not. @param {string} name */
async function openSink(name) {
  if (!globalThis.showSaveFilePicker) return downloadSink(name);
  try {
    return await fileSink(await showSaveFilePicker({ suggestedName: name, types: [{ accept: { 'text/csv': ['.csv'] } }] }));
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'AbortError') return null;
    throw error;
  }
}

/** One page, asked for until it comes. @param {Filter} filter @param {number} cursor @param {AbortSignal} signal */
async function read(filter, cursor, signal) {
  for (;;) {
    signal.throwIfAborted();
    try {
      const next = await /** @type {Session} */ (link.session).view(filter, cursor, page);
      exporting.state = 'running';
      return next;
    } catch (error) {
      if (!passing.has(/** @type {HufuError} */ (error).code)) throw error;
      exporting.state = 'waiting';
      redraw();
      await new Promise((resolve) => setTimeout(resolve, again));
    }
  }
}

/** @param {Filter} filter @param {Sink} sink @param {AbortSignal} signal */
async function copy(filter, sink, signal) {
  const cancelled = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  cancelled.catch(() => {}); // it may come while the file is written, when nobody waits for it
  await sink.write(csvHead());
  for (let cursor = 0, first = true; first || cursor; first = false) {
    const next = await Promise.race([read(filter, cursor, signal), cancelled]);
    await sink.write(next.rows.map(csvLine).join(''));
    cursor = next.cursor;
    exporting.rows += next.rows.length;
    exporting.reached = next.rows.at(-1)?.negotiated ?? exporting.reached;
    redraw();
  }
}

/**
 * Writes all keys that the filter selects, newest first, into a file of that
 * name. It must be called by a touch of the person's: browsers ask for one.
 * @param {Filter} filter @param {string} name
 */
export async function exportHistory(filter, name) {
  if (running) return;
  const mine = (running = new AbortController());
  Object.assign(exporting, { state: '', rows: 0, reached: 0, why: () => '' });
  /** @type {Sink | null} */
  let sink = null;
  /** @type {typeof exporting.state} */
  let end = '';
  try {
    sink = await openSink(name);
    if (sink) {
      exporting.state = 'running';
      redraw();
      await copy(filter, sink, mine.signal);
      await sink.close();
      end = 'done';
    }
  } catch (error) {
    await sink?.abort().catch(() => {}); // it has failed already
    end = mine.signal.aborted ? 'cancelled' : 'failed';
    const { name } = /** @type {Error} */ (error);
    exporting.why = () => (name === 'HufuError' ? failureText(error) : t('console_export_unwritable'));
  }
  if (running !== mine) return; // it was forgotten meanwhile
  running = null;
  exporting.state = end;
  redraw();
}

/** Ends it; what was written is thrown away. */
export const cancelExport = () => running?.abort();

onForget(() => {
  cancelExport();
  running = null;
  exporting.state = '';
});
