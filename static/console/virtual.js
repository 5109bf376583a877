// Which rows of a long list are to be drawn: those in sight, and some around
// them. All rows have one height, --row of the list; the page itself scrolls.
import { redraw } from '../page.js';

const around = 12; // rows drawn above and below what is in sight
const step = 6; // rows that scroll by between two drawings

export class Virtual {
  first = 0;
  last = 0;
  height = 52;
  #selector;
  #moved;
  #due = 0;
  #scrolled = () => {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      if (this.measure()) redraw();
    });
  };

  /** @param {string} selector of the list @param {() => void} moved called when other rows are in sight */
  constructor(selector, moved) {
    this.#selector = selector;
    this.#moved = moved;
  }

  start() {
    Object.assign(this, { first: 0, last: Math.ceil(innerHeight / this.height / step) * step });
    addEventListener('scroll', this.#scrolled, { passive: true });
    addEventListener('resize', this.#scrolled, { passive: true });
  }

  stop() {
    removeEventListener('scroll', this.#scrolled);
    removeEventListener('resize', this.#scrolled);
    cancelAnimationFrame(this.#due);
    this.#due = 0;
  }

  /** Finds what is in sight; true: other rows than before, or rows of another height. */
  measure() {
    const list = document.querySelector(this.#selector);
    if (!list) return false;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const height = parseFloat(getComputedStyle(list).getPropertyValue('--row')) * rem;
    const above = Math.max(0, -list.getBoundingClientRect().top) / height;
    const first = Math.max(0, Math.floor(above / step) * step - around);
    const last = Math.ceil((above + innerHeight / height) / step) * step + around;
    if (first === this.first && last === this.last && height === this.height) return false;
    Object.assign(this, { first, last, height });
    this.#moved();
    return true;
  }
}
