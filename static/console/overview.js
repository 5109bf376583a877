// The overview: whether the network is healthy.
import { html } from '../vendor/lit-html/lit-html.js';
import { t } from '../i18n.js';

/** @type {import("./pages.js").Page} */
export const overview = {
  nav: 'console_overview',
  key: 'o',
  title: () => t('console_overview'),
  mount() {},
  update() {},
  unmount() {},
  view: () => html`<h1>${t('console_overview')}</h1>`,
};
