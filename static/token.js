// The token: from the address, a paste or a file; remembered for the tab only
// if the person says so.
import { connect, link, leave } from './connection.js';
import { focusOn, onForget, redraw } from './page.js';

const stored = 'hufu.token';
const greatestFile = 4096;

export const token = {
  text: '',
  /** Keep it in this tab until it is closed. */
  remember: false,
  /** It came with the address. */
  fromAddress: false,
  /** The file that was chosen is none. */
  badFile: false,
};

/** Takes what came with the address, else what the tab remembers. */
export function find() {
  takeFromAddress();
  if (token.text) return;
  const kept = sessionStorage.getItem(stored);
  if (!kept) return;
  token.remember = true;
  connect(kept);
}

function takeFromAddress() {
  const text = globalThis.hufuToken;
  delete globalThis.hufuToken;
  if (!text) return;
  if (link.session) leave();
  token.text = text;
  token.fromAddress = true;
  focusOn('[data-test=connect]');
}

/** A token that is put into the address of the open page. */
addEventListener('hashchange', () => {
  const at = location.hash.indexOf('hufu1_');
  if (at < 0) return;
  globalThis.hufuToken = location.hash.slice(at);
  history.replaceState(null, '', location.pathname + location.search);
  takeFromAddress();
});

/** Connects with the token in the field, and keeps no copy but the tab's. */
export async function use() {
  const text = token.text.trim();
  token.text = '';
  token.fromAddress = false;
  await connect(text);
  if (link.failure) return;
  if (token.remember) sessionStorage.setItem(stored, text);
  else sessionStorage.removeItem(stored);
}

/** @param {File | undefined} file */
export async function fromFile(file) {
  if (!file) return;
  token.badFile = file.size > greatestFile;
  if (!token.badFile) token.text = (await file.text()).trim();
  focusOn('[data-test=connect]');
}

onForget(() => {
  sessionStorage.removeItem(stored);
  Object.assign(token, { text: '', remember: false, fromAddress: false, badFile: false });
  redraw();
});
