// The sequence picture: this browser, the proxy and the server, and every
// message between them.
import { html, nothing } from './vendor/lit-html/lit-html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { link } from './connection.js';
import { bytes, clock, has, number, t } from './i18n.js';
import { ledger } from './ledger.js';
import { ends } from './notes.js';
import { redraw } from './page.js';
import { allRuns } from './sequence.js';

/** @typedef {import("./sequence.js").Run} Run */
/** @typedef {import("./sequence.js").Message} Message */
/** @typedef {import("../wasmclient/hufu.d.ts").TraceEvent} TraceEvent */

/** The fields that a message is about; the others are its envelope. */
const telling = new Set(['r1', 'r2', 'share', 'confirm', 'nonce', 'seckeyid', 'lifetime', 'state', 'reason', 'doc']);

/** @param {TraceEvent["fields"][number]} field */
const fieldView = ({ name, size, value }) => html`<div data-field=${name}>
  <dt><code>${name}</code>${has(`page_field_${name}`) ? html` <span class="dim">${t(`page_field_${name}`)}</span>` : nothing}</dt>
  ${size ? html`<dd class="size">${bytes(size)}</dd>` : nothing}
  <dd class="value hex">${value ?? html`<span class="dim">${t(size ? 'page_not_shown' : 'page_empty')}</span>`}</dd>
</div>`;

/** @param {TraceEvent} event */
function fieldsView(event) {
  const main = event.fields.filter((f) => telling.has(f.name));
  const rest = event.fields.filter((f) => !telling.has(f.name));
  return html`
    ${main.length ? html`<dl class="fields">${main.map(fieldView)}</dl>` : nothing}
    ${rest.length ? html`<p class="envelope">${rest.map(({ name, value }) => html`<span><code>${name}</code> <span class="hex">${value ?? '…'}</span></span> `)}</p>` : nothing}`;
}

/** @param {Message} message @param {Run} run */
function messageView(message, run) {
  const { event, tampered } = message;
  const { here, there } = ends(message);
  const after = Math.round(event.at - run.messages[0].event.at);
  const way = event.sent ? 'sent' : 'received';
  return html`<li class="message" data-way=${way} data-test="message" data-name=${event.name} data-tampered=${tampered ?? nothing}>
    ${event.sent ? here : there}
    <div class="wire">
      <p class="arrow">
        <span class="hidden">${t(`page_${way}`)}</span>
        <b>${event.name}</b>
        ${event.size ? html`<span class="size">${bytes(event.size)}</span>` : nothing}
        <span class="when">+${number(after)} ms</span>
        ${tampered ? html`<strong class="mark">${t(`page_tampered_${tampered}`)}</strong>` : nothing}
      </p>
      ${fieldsView(event)}
    </div>
    ${event.sent ? there : here}
  </li>`;
}

/** @param {Run} run */
function runView(run) {
  const size = run.messages.reduce((sum, m) => sum + m.event.size, 0);
  return html`<details class="run" .open=${run.open} data-test="run" data-kind=${run.kind}
    @toggle=${(/** @type {Event} */ e) => { run.open = /** @type {HTMLDetailsElement} */ (e.target).open; redraw(); }}>
    <summary><b>${t(`page_run_${run.kind}`)}</b>
      <span class="dim">${clock(run.messages[0].event.at)} · ${run.messages.length === 1 ? t('page_run_one', bytes(size)) : t('page_run_sum', number(run.messages.length), bytes(size))}</span>
    </summary>
    <ol class="messages">${repeat(run.messages, (m) => m.id, (m) => messageView(m, run))}</ol>
  </details>`;
}

export const figure = () => html`<section class="figure" aria-labelledby="figure-title">
  <h2 id="figure-title">${t('page_figure')}</h2>
  <div class="runs">
    <div class="lanes">
      <p><b>${t('page_lane_browser')}</b><span>${t('page_lane_stays')}</span></p>
      <p><b>${t('page_lane_proxy')}</b><span>${t('page_lane_sees')}</span></p>
      <p><b>${t('page_lane_server')} ${link.session?.info.serverId}</b><span>${t('page_lane_stays')}</span></p>
    </div>
    ${repeat(allRuns().filter((r) => r.messages.length), (r) => r.id, runView)}
  </div>
  ${ledger()}
</section>`;
