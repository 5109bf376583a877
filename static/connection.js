// The connection: opened with a token, kept by the wasm client, seen in its status.
import { client } from './client.js';
import { focusOn, forget, onForget, redraw } from './page.js';
import { begin, beginUnasked, end, present, take } from './sequence.js';

/** @typedef {import("../wasmclient/hufu.d.ts").Session} Session */
/** @typedef {import("../wasmclient/hufu.d.ts").Status} Status */
/** @typedef {import("../wasmclient/hufu.d.ts").KeyChange} KeyChange */
/** @typedef {import("../wasmclient/hufu.d.ts").TraceEvent} TraceEvent */
/** @typedef {import("../wasmclient/hufu.d.ts").HufuError} HufuError */
/** @typedef {import("./sequence.js").Message} Message */

export const link = {
  /** @type {Session | null} */
  session: null,
  /** @type {Status} */
  status: { state: 'closed' },
  /** When the next attempt comes, by performance.now. */
  retryAt: 0,
  /** The client is being loaded. */
  loading: false,
  /** It was open once. */
  known: false,
  /** @type {HufuError | null} */
  failure: null,
};

/** The session is an operator's or an auditor's: the page is the console. */
export const isStaff = () => link.session !== null && link.session.info.role !== 'outlet';

/** The connection can be used now. */
export const isOpen = () => link.session !== null && link.status.state === 'open';

/** @type {((change: KeyChange) => void)[]} */
const keyWatchers = [];
/** @type {(() => void)[]} */
const sessionWatchers = [];
/** @type {(() => Promise<void>)[]} */
const openWatchers = [];
/** @type {((status: Status) => void)[]} */
const statusWatchers = [];
/** @type {((message: Message) => void)[]} */
const messageWatchers = [];

/** @param {(change: KeyChange) => void} f */
export const onKey = (f) => keyWatchers.push(f);
/** A session has begun: who the person is, is known. @param {() => void} f */
export const onSession = (f) => sessionWatchers.push(f);
/** What belongs to a connection that has just opened. @param {() => Promise<void>} f */
export const onOpen = (f) => openWatchers.push(f);
/** @param {(message: Message) => void} f */
export const onMessage = (f) => messageWatchers.push(f);
/** @param {(status: Status) => void} f */
export const onStatus = (f) => statusWatchers.push(f);

/** The server's address: the one that this page came from. */
function address() {
  const url = new URL('ws', document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}

/** Tells the callbacks of a session that was left from those of the present one. */
let turn = 0;

/** Connects with a token, loading the client if need be. @param {string} token */
export async function connect(token) {
  const mine = ++turn;
  /** @template T @param {(x: T) => void} f @returns {(x: T) => void} */
  const ifMine = (f) => (x) => mine === turn && f(x);
  link.loading = true;
  link.failure = null;
  redraw();
  try {
    const hufu = await client();
    const { role } = await hufu.inspect(token);
    if (mine !== turn) return;
    begin('connect');
    const session = await hufu.connect({
      token,
      url: address(),
      ...(role === 'outlet' && { onTrace: ifMine(traced) }),
      onKey: ifMine((change) => keyWatchers.forEach((f) => f(change))),
      onStatus: ifMine(changed),
    });
    if (mine !== turn) return void session.close();
    link.session = session;
    sessionWatchers.forEach((f) => f());
    if (link.status.state === 'open') arrived();
  } catch (error) {
    if (mine !== turn) return;
    link.failure = /** @type {HufuError} */ (error);
  }
  link.loading = false;
  redraw();
}

/** @param {TraceEvent} event */
function traced(event) {
  const message = take(event);
  messageWatchers.forEach((f) => f(message));
}

/** @param {Status} status */
function changed(status) {
  const before = link.status.state;
  link.status = status;
  link.retryAt = performance.now() + (status.retryIn ?? 0);
  if (status.state === 'connecting' && before === 'waiting') beginUnasked(link.known ? 'reconnect' : 'connect');
  if (status.state === 'open' && before !== 'open' && link.session) arrived();
  statusWatchers.forEach((f) => f(status));
  if (status.state === 'waiting') end(present());
  redraw();
}

async function arrived() {
  const run = present();
  if (!link.known) {
    link.known = true;
    focusOn('[data-test=negotiate]');
  }
  for (const f of openWatchers) await f();
  end(run);
}

/** Closes the connection and forgets what came from it. */
export function leave() {
  link.session?.close();
  forget();
}

onForget(() => {
  turn++;
  link.session = null;
  link.loading = false;
  link.status = { state: 'closed' };
  link.known = false;
  link.failure = null;
});
