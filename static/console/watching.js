// What the events page shows: the changes that its address selects, as they
// come, without a gap.
import { isOpen } from '../connection.js';
import { failureText } from '../failure.js';
import { has, t } from '../i18n.js';
import { redraw } from '../page.js';
import { administer, codeOf, questions } from './app.js';
import { bound, boundsOf } from './cells.js';
import { Feed, selects } from './feed.js';
import { isIdentifier } from './outlet-field.js';
import { address } from './route.js';
import { now } from './when.js';

/** @typedef {import("./app.js").Change} Change */
/** @typedef {import("./feed.js").Page} Page */

const size = 100;
const settles = 100; // ms: what comes within is drawn at once
const mostHeld = 1000; // changes that a pause keeps

/** The kinds of changes, by what they are about. */
export const groups = {
  keys: ['negotiated', 'verified', 'retired', 'expired', 'revoked', 'receipt'],
  trouble: ['mismatch', 'refused', 'restored'],
  outlets: ['enrolled', 'opened', 'new-secret', 'secret-gone', 'cut', 'disabled', 'enabled'],
  presence: ['connected', 'disconnected'],
};
const allKinds = Object.values(groups).flat();

/**
 * What is selected, as the address says it: bounds as days or moments, empty if
 * there are none; no kinds: all.
 * @typedef {{ outlet: string, from: string, to: string, kinds: string[] }} Asked
 */

/** @type {Asked} */
const nothingAsked = { outlet: '', from: '', to: '', kinds: [] };

export const watching = {
  asked: { ...nothingAsked },
  feed: new Feed(),
  /** The newest page was read. */
  known: false,
  loading: false,
  /** New changes are kept back. */
  paused: false,
  /** How many are kept back; mostHeld: that many or more. */
  held: 0,
  /** When the list began anew, since more had come meanwhile than it could read; 0: it has not. */
  anew: 0,
  /** @type {(() => string) | null} */
  failure: null,
  /** What is asked for makes no sense: trying again does not help. */
  wrong: false,
};

/** @type {Change[]} */
let coming = [];
/** @type {string | null} the query that is shown */
let shown = null;
/** Something is to be read when the pause ends. */
let owed = false;
/** Changes were told of that nobody has kept, or not told of. */
let lost = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let due;
const asking = questions();

/** What an address asks for. @param {URLSearchParams} query @returns {Asked} */
function askedBy(query) {
  const words = (query.get('kinds') ?? '').split(',');
  return { outlet: query.get('outlet') ?? '', ...boundsOf(query), kinds: allKinds.filter((kind) => words.includes(kind) && has(`kind_${kind}`)) };
}

/** The address that asks for it. @param {Asked} asked */
export const addressOf = ({ outlet, from, to, kinds }) => address('events', [], { outlet, from, to, kinds: kinds.join(',') });

/** What is asked for, as events has it. */
function selection() {
  const { outlet, from, to, kinds } = watching.asked;
  return { ...(outlet && { outlet }), ...(from && { from: bound(from, 'from') }), ...(to && { to: bound(to, 'to') }), ...(kinds.length && { kinds }) };
}

/** One page of what is selected. @param {{ from?: number, before?: number }} where @returns {Promise<Page>} */
const page = ({ from, before }) => {
  const chosen = selection();
  return administer({ op: 'events', ...chosen, limit: size, ...(before && { before }), ...(from && { from: Math.max(from, chosen.from ?? 0) }) });
};

/** Reads, and tells what went wrong. @param {(feed: Feed) => Promise<void>} how */
async function read(how) {
  const latest = asking.next();
  watching.loading = true;
  redraw();
  try {
    await how(watching.feed);
    if (!latest()) return;
    Object.assign(watching, { known: true, failure: null });
  } catch (error) {
    if (!latest()) return;
    if (codeOf(error) !== 'closed') watching.failure = () => failureText(error);
  }
  watching.loading = false;
  redraw();
}

/** Shows what an address asks for, unless it is shown. @param {URLSearchParams} query */
export function show(query) {
  if (shown === String(query)) return;
  forgetEvents();
  shown = String(query);
  watching.asked = askedBy(query);
  watching.asked.outlet && !isIdentifier(watching.asked.outlet) ? refuse() : read((feed) => feed.begin(page));
}

function refuse() {
  Object.assign(watching, { wrong: true, failure: () => t('console_no_identifier') });
  redraw();
}

/** Reads what came while there was no connection, or what was lost; a pause puts it off. */
export async function catchUp() {
  if (watching.paused) {
    owed = true;
    return;
  }
  const missing = lost;
  owed = lost = false;
  await read(async (feed) => {
    if (!watching.known) return feed.begin(page);
    if (!(await feed.catchUp(page, missing))) watching.anew = now();
  });
}

/** Reads the page below. */
export const earlier = () => read((feed) => feed.earlier(page));

/** A change has come. @param {Change} change */
export function changed(change) {
  if (change.kind === 'lost') {
    lost = true;
    if (isOpen()) catchUp();
    return;
  }
  if (!selects(selection(), change)) return;
  if (coming.length < mostHeld) coming.push(change);
  else owed = lost = true;
  due ??= setTimeout(settle, settles);
}

/** Draws what has come, or counts it. */
function settle() {
  due = undefined;
  if (watching.paused) {
    watching.held = coming.length;
  } else {
    watching.feed.arrive(coming);
    coming = [];
    if (owed) catchUp();
  }
  redraw();
}

/** Keeps new changes back, for who wants to read in peace. */
export function pause() {
  watching.paused = true;
  redraw();
}

/** Shows what was kept back; of what was too much the record is asked. */
export function goOn() {
  Object.assign(watching, { paused: false, held: 0 });
  settle();
}

/** Nothing that is selected can happen any more. */
export const isPast = () => (selection().to ?? Infinity) <= now();

/** Forgets it all. */
export function forgetEvents() {
  clearTimeout(due);
  due = undefined;
  coming = [];
  owed = lost = false;
  shown = null;
  asking.stop();
  Object.assign(watching, { asked: { ...nothingAsked }, feed: new Feed(), known: false, loading: false, paused: false, held: 0, anew: 0, failure: null, wrong: false });
}
