// What holds the page together: drawing after a change, and forgetting all.

let draw = () => {};
let due = false;

/** Says how the page is drawn. @param {() => void} how */
export function drawWith(how) {
  draw = how;
}

/** Draws once, after all changes of this turn. */
export function redraw() {
  if (due) return;
  due = true;
  queueMicrotask(() => {
    due = false;
    draw();
  });
}

/** @type {(() => void)[]} */
const memories = [];

/** Names what is to be forgotten with a session. @param {() => void} how */
export function onForget(how) {
  memories.push(how);
}

/** Forgets all that came from the session. */
export function forget() {
  for (const how of memories) how();
  redraw();
}

/**
 * Moves the focus to what the next drawing shows.
 * @param {string} selector
 */
export function focusOn(selector) {
  redraw();
  setTimeout(() => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus());
}
