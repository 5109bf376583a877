// What the proxy has seen beside what it has not.
import { html } from './vendor/lit-html/lit-html.js';
import { number, t } from './i18n.js';
import { shown } from './keys.js';
import { allRuns } from './sequence.js';

/** The fields that have gone by, with the last value of each. */
function seen() {
  /** @type {Map<string, string>} */
  const fields = new Map();
  for (const run of allRuns()) {
    for (const { event } of run.messages) {
      for (const { name, value } of event.fields) fields.set(name, value ?? '');
    }
  }
  return fields;
}

export function ledger() {
  const fields = seen();
  const total = allRuns().flatMap((r) => r.messages).reduce((sum, m) => sum + m.event.size, 0);
  const has = (/** @type {string} */ name) => fields.has(name);
  const saw = [
    [has('clientId'), t('page_saw_names'), `${fields.get('clientId')} · ${fields.get('serverId')}`],
    [has('r1') && has('r2'), t('page_saw_halves'), 'r1, r2'],
    [has('share'), t('page_saw_shares'), 'share'],
    [has('confirm'), t('page_saw_proofs'), 'confirm'],
    [shown.theirs !== '', t('page_saw_record'), ''],
  ].filter(([is]) => is);
  const unseen = [t('page_secret_token'), t('page_secret_private'), t('page_secret_key_long')];
  return html`<div class="ledger" data-test="ledger">
    <section><h3>${t('page_saw')}</h3>
      <ul>${saw.map(([, name, value]) => html`<li>${name} <code>${value}</code></li>`)}</ul>
      <p class="dim">${t('page_saw_total', number(total))}</p></section>
    <section><h3>${t('page_unseen')}</h3>
      <ul>${unseen.map((name) => html`<li class="secret"><span class="veil" aria-hidden="true"></span>${name}</li>`)}</ul>
      <p class="dim">${t('page_unseen_why')}</p></section>
  </div>`;
}
