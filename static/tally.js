// The tally: a tiger's mask of two halves. The teeth along the seam are the
// digits of a fingerprint, each half's its own: only equal ones fit.
import { html, nothing, svg } from './vendor/lit-html/lit-html.js';
import { grouped, t } from './i18n.js';
import { fits, shown } from './keys.js';

const top = 22;
const tooth = 11.75; // 16 of them down to the chin
const depth = 0.85; // of a digit, on either side of the middle

/** How far each tooth stands out; without a fingerprint the seam is straight. @param {string} fingerprint */
const teeth = (fingerprint) => Array.from(fingerprint, (digit) => (parseInt(digit, 16) - 7.5) * depth);

/** The seam from the chin up. @param {string} fingerprint */
function seam(fingerprint) {
  const steps = teeth(fingerprint).map((x, i) => `${x} ${top + (i + 1) * tooth}L${x} ${top + i * tooth}`);
  return `0 210L${steps.reverse().join('L')}${steps.length ? 'L' : ''}0 ${top}`;
}

/**
 * One half of the mask. @param {-1 | 1} side @param {string} fingerprint
 */
function outline(side, fingerprint) {
  const p = (/** @type {number[]} */ ...xy) => xy.map((n, i) => (i % 2 ? n : side * n)).join(' ');
  return `M0 ${top}C${p(12, 22, 26, 19, 38, 14)}C${p(46, 2, 60, -4, 72, -4)}C${p(88, -4, 95, 10, 93, 26)}` +
    `C${p(92, 38, 88, 47, 84, 54)}C${p(94, 72, 99, 92, 98, 110)}L${p(106, 124)}L${p(95, 134)}L${p(101, 150)}` +
    `L${p(86, 156)}L${p(88, 172)}L${p(70, 174)}C${p(58, 194, 40, 206, 22, 210)}C${p(14, 212, 8, 211, 0, 210)}L${seam(fingerprint)}Z`;
}

/** What is engraved in the left half; the strokes of the forehead go across the seam, and make 王. */
const engraving = svg`
  <path class="inlay" d="M8 45Q-16 43-36 51Q-16 52 8 51ZM8 64Q-12 62-27 69Q-12 70 8 70ZM8 83Q-18 81-40 91Q-18 90 8 89ZM8 45H-3V89H8Z"/>
  <path class="inlay" d="M-62 10Q-80 6-80 24Q-79 34-75 42Q-67 28-52 20Q-56 14-62 10Z"/>
  <path class="inlay" d="M-46 64Q-66 56-83 76Q-64 67-46 64ZM-97 112Q-80 110-64 124Q-80 119-99 121ZM-98 134Q-80 130-62 140Q-80 139-95 143ZM-88 156Q-74 150-58 156Q-72 158-86 166Z"/>
  <path class="inlay" d="M-74 104Q-54 86-28 108Q-54 120-74 104Z"/>
  <circle class="pupil" cx="-50" cy="104.500" r="6.500"/>
  <path class="inlay" d="M8 134H-22Q-20 148-4 153H8Z"/>
  <path class="line" d="M-15 104Q-12 120-22 134M0 153V164Q-14 178-40 168"/>
  <path class="inlay" d="M-31 171L-26 187L-19 174Z"/>`;

/** @param {"left" | "right"} name @param {string} fingerprint */
function half(name, fingerprint) {
  const side = name === 'left' ? -1 : 1;
  const shape = outline(side, fingerprint);
  return svg`<g class="half ${name}" data-known=${fingerprint ? 'yes' : 'no'}>
    <clipPath id="tally-${name}"><path d=${shape}/></clipPath>
    <path class="body" d=${shape}/>
    <g clip-path="url(#tally-${name})"><g transform=${`scale(${-side} 1)`}>${engraving}</g></g>
  </g>`;
}

/** @param {string} mine @param {string} theirs @param {boolean} fit @param {boolean} [ended] */
export function mask(mine, theirs, fit, ended = false) {
  return html`<svg class="tally" viewBox="-128 -14 256 236" data-fit=${fit ? 'yes' : 'no'} data-ended=${ended ? 'yes' : 'no'} aria-hidden="true">
    ${half('left', mine)}${half('right', theirs)}
  </svg>`;
}

/** @param {string} who @param {string} fingerprint @param {string} hook */
const side = (who, fingerprint, hook) => html`<div>
  <dt>${who}</dt>
  <dd class="hex" data-test=${hook}>${fingerprint ? grouped(fingerprint) : html`<span class="dim">${t('page_not_yet')}</span>`}</dd>
</div>`;

/** The tally of the shown key, with both fingerprints. */
export function tally() {
  const ended = shown.state === 'revoked' || shown.state === 'expired';
  return html`<figure class="tally-figure">
    ${mask(shown.mine, shown.theirs, fits(), ended)}
    <figcaption>
      <dl class="fingerprints">
        ${side(t('page_fp_browser'), shown.mine, 'fp-browser')}
        ${side(t('page_fp_server'), shown.theirs, 'fp-server')}
      </dl>
      <p class="fit" data-test="fit">${fits() ? t('page_fit') : ended ? t('page_fit_ended') : shown.mine ? t('page_fit_half') : nothing}</p>
    </figcaption>
  </figure>`;
}
