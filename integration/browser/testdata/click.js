// Where in the window an element can be clicked; null if it cannot yet: it is not
// there, disabled, moving, or something else lies over it. Whether a click
// missed it is in missed from then on.
const place = () => {
  const found = document.querySelector(selector);
  if (!found || found.matches(':disabled')) return null;
  const [part] = found.getClientRects();
  if (!part) return null;
  const [x, y] = [part.left + part.width / 2, part.top + part.height / 2];
  if (found.contains(document.elementFromPoint(x, y))) return { found, x, y };
  found.scrollIntoView({ block: 'center', behavior: 'instant' });
  return null;
};
const before = place();
await new Promise((r) => setTimeout(r, 20));
const now = place();
if (!before || now?.found !== before.found || now.x !== before.x || now.y !== before.y) return null;
globalThis.missed = true;
document.addEventListener('click', (e) => (globalThis.missed &&= !e.composedPath().includes(now.found)), { capture: true, once: true });
return { x: now.x, y: now.y };
