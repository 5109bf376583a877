// The keys of this page, and what becomes of the one that is shown.
import { isOpen, isStaff, link, onKey, onMessage, onOpen } from './connection.js';
import { failureText } from './failure.js';
import { recordOf, refresh } from './history.js';
import { t } from './i18n.js';
import { onForget, redraw } from './page.js';
import { begin, end, newest, valueOf } from './sequence.js';

/** @typedef {import("../wasmclient/hufu.d.ts").Key} Key */
/** @typedef {import("../wasmclient/hufu.d.ts").KeyState} KeyState */
/** @typedef {import("../wasmclient/hufu.d.ts").Session} Session */

const nothingSaid = () => '';

/** The key that the tally shows: what is known of it at either end. */
export const shown = {
  seckeyid: 0,
  /** The fingerprint that this end computed. */
  mine: '',
  /** The fingerprint in the server's record. */
  theirs: '',
  /** @type {KeyState | ""} */
  state: '',
};

export const doing = {
  /** @type {"" | "negotiate" | "verify" | "revoke"} */
  action: '',
  /** The outcome of the last action, for all to read, in whatever language. */
  said: nothingSaid,
  failed: false,
};

/** The keys that this page holds, newest first. @returns {Key[]} */
const heldKeys = () => link.session?.keys() ?? [];

/** The held key with that number. @param {number} seckeyid */
export const held = (seckeyid) => heldKeys().find((k) => k.seckeyid === seckeyid);

/** The key to seal with. */
export const currentKey = () => heldKeys().find((k) => k.current);

/** The key that verify and revoke are about: the newest. */
export const newestKey = () => heldKeys()[0];

export const fits = () => shown.mine !== '' && shown.mine === shown.theirs && isLive();
const isLive = () => shown.state === 'active' || shown.state === 'retired' || shown.state === 'pending';

/** @param {number} seckeyid @param {KeyState | ""} state */
function show(seckeyid, state) {
  shown.seckeyid = seckeyid;
  shown.mine = shown.theirs = '';
  shown.state = state;
}

/** Looks up what the server's record says of the shown key. */
async function compare() {
  await refresh();
  const row = await recordOf(shown.seckeyid);
  if (!row) return;
  shown.theirs = row.fingerprint;
  shown.state = row.state;
  const view = newest((m) => m.event.name === 'view' && !m.event.sent);
  if (view) view.record = row.fingerprint;
}

/**
 * Does one action: its messages are a run, its end is said.
 * @param {"negotiate" | "verify" | "revoke"} action
 * @param {(session: Session) => Promise<() => string>} what
 */
async function act(action, what) {
  const { session } = link;
  if (!session || doing.action || !isOpen()) return;
  doing.action = action;
  doing.said = nothingSaid;
  doing.failed = false;
  const before = { ...shown };
  const run = begin(action);
  let said = nothingSaid;
  let failed = false;
  try {
    said = await what(session);
  } catch (error) {
    said = () => failureText(error);
    failed = true;
  }
  if (link.session !== session) return; // it was left meanwhile
  if (failed && shown.mine === '') Object.assign(shown, before);
  doing.said = said;
  doing.failed = failed;
  doing.action = '';
  end(run);
  redraw();
}

/** Agrees on a key and verifies it. */
export const negotiate = () => act('negotiate', async (session) => {
  show(0, '');
  const key = await session.negotiate();
  shown.seckeyid = key.seckeyid;
  shown.mine = key.fingerprint;
  shown.state = key.state;
  await compare();
  return () => t('page_said_negotiated', key.seckeyid);
});

/** Proves at both ends that they hold the same. @param {number} seckeyid */
export const verify = (seckeyid) => act('verify', async (session) => {
  if (shown.seckeyid !== seckeyid) show(seckeyid, '');
  const key = await session.verify(seckeyid);
  shown.mine = key.fingerprint;
  shown.state = key.state;
  await compare();
  return () => t('page_said_verified', seckeyid);
});

/** Ends a key for good. @param {number} seckeyid @param {number} reason */
export const revoke = (seckeyid, reason) => act('revoke', async (session) => {
  await session.revoke(seckeyid, reason);
  if (shown.seckeyid === seckeyid) shown.state = 'revoked';
  await refresh();
  return () => t('page_said_revoked', seckeyid);
});

/** The failure of the last action is told elsewhere. */
export function toldElsewhere() {
  if (doing.failed) doing.said = nothingSaid;
  doing.failed = false;
  redraw();
}

onMessage((message) => {
  const { event } = message;
  if (event.sent || (event.name !== 'negotiate' && event.name !== 'push')) return;
  message.seckeyid = Number(valueOf(event, 'seckeyid') ?? 0);
  if (event.name === 'negotiate' && doing.action === 'negotiate') shown.seckeyid = message.seckeyid;
});

onKey(({ kind, seckeyid, state }) => {
  const key = held(seckeyid);
  if (kind === 'entered' && key) {
    const reply = newest((m) => m.event.name === 'negotiate' && m.seckeyid === seckeyid);
    if (reply) reply.fingerprint = key.fingerprint;
    if (seckeyid === shown.seckeyid) shown.mine = key.fingerprint;
  }
  if (seckeyid === shown.seckeyid && state) shown.state = state;
  if (kind === 'wiped' && doing.action === '') {
    doing.said = () => t('page_said_wiped', seckeyid);
    refresh();
  }
  redraw();
});

onOpen(async () => {
  if (!isStaff()) await refresh();
});

onForget(() => {
  show(0, '');
  doing.action = '';
  doing.said = nothingSaid;
  doing.failed = false;
});
