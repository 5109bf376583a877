// Bars over the last hours, as an element that draws itself anew when its
// numbers, its width or the colours change. What it shows stands in a table too.
import uPlot from '../vendor/uplot/uPlot.js';
import { number } from '../i18n.js';

/**
 * @typedef {object} Bars
 * @property {string[]} labels one for each bar
 * @property {number[]} values
 * @property {boolean} hatched drawn as hatching, so that it is told apart without colours
 * @property {(index: number | null) => void} point the bar that is pointed at
 */

const dark = matchMedia('(prefers-color-scheme: dark)');

/** @param {Element} element @param {string} name */
const colour = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();

/** Lines at a slant, in a colour. @param {CanvasRenderingContext2D} ctx @param {string} ink */
function hatching(ctx, ink) {
  const size = Math.round(6 * devicePixelRatio);
  const tile = new OffscreenCanvas(size, size);
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (tile.getContext('2d'));
  pen.strokeStyle = ink;
  pen.lineWidth = size / 3;
  pen.beginPath();
  for (const x of [-size, 0, size]) {
    pen.moveTo(x, size);
    pen.lineTo(x + size, 0);
  }
  pen.stroke();
  return /** @type {CanvasPattern} */ (ctx.createPattern(tile, 'repeat'));
}

class HufuBars extends HTMLElement {
  /** @type {Bars | null} */
  #bars = null;
  /** @type {uPlot | null} */
  #plot = null;
  #again = () => this.#draw();
  #watch = new ResizeObserver(() => this.#plot?.setSize(this.#size()));

  /** @param {Bars} bars */
  set bars(bars) {
    const before = this.#bars;
    this.#bars = bars;
    const drawn = before && String(before.labels) === String(bars.labels) && before.hatched === bars.hatched;
    if (drawn && String(before.values) === String(bars.values)) return;
    if (drawn && this.#plot) this.#plot.setData(this.#data());
    else if (this.isConnected) this.#draw();
  }

  connectedCallback() {
    this.#watch.observe(this);
    dark.addEventListener('change', this.#again);
    this.#draw();
  }

  disconnectedCallback() {
    this.#watch.disconnect();
    dark.removeEventListener('change', this.#again);
    this.#plot?.destroy();
    this.#plot = null;
  }

  #size() {
    return { width: Math.max(this.clientWidth, 160), height: Math.max(this.clientHeight, 60) };
  }

  /** @returns {[number[], (number | null)[]]} */
  #data() {
    const values = this.#bars?.values ?? [];
    return [values.map((_, i) => i), values.map((n) => n || null)]; // no bar at all for nothing
  }

  #draw() {
    this.#plot?.destroy();
    this.#plot = null;
    if (!this.#bars) return;
    const { labels, hatched, point } = this.#bars;
    const ink = colour(this, hatched ? '--accent' : '--bronze');
    const axis = { stroke: colour(this, '--dim'), font: `12px ${colour(this, '--sans')}`, ticks: { show: false } };
    this.#plot = new uPlot({
      ...this.#size(),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      hooks: { setCursor: [(/** @type {uPlot} */ u) => point(u.cursor.idx ?? null)] },
      scales: {
        x: { time: false, range: (/** @type {uPlot} */ _, /** @type {number} */ from, /** @type {number} */ to) => [from - 0.6, to + 0.6] },
        y: { range: (/** @type {uPlot} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, Math.max(4, most * 1.1)] },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 24, gap: 4, space: 56, incrs: [1, 2, 3, 4, 6, 12], values: (/** @type {uPlot} */ _, /** @type {number[]} */ at) => at.map((i) => labels[i] ?? '') },
        { ...axis, values: (/** @type {uPlot} */ _, /** @type {number[]} */ at) => at.map(number), grid: { stroke: colour(this, '--line'), width: 1 }, size: 44, gap: 4, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000] },
      ],
      series: [{}, {
        paths: uPlot.paths.bars({ size: [0.7, 48], radius: 0 }),
        points: { show: false },
        fill: (/** @type {uPlot} */ u) => (hatched ? hatching(u.ctx, ink) : ink),
        stroke: ink,
        width: hatched ? 1 : 0,
      }],
    }, this.#data(), this);
  }
}

customElements.define('hufu-bars', HufuBars);
