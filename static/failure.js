// Failures in the person's language.
import { has, t } from './i18n.js';

/** @typedef {import("../wasmclient/hufu.d.ts").HufuError} HufuError */

/** What a code means, and what to do. @param {string | undefined} code */
function codeText(code) {
  const key = `page_error_${(code ?? 'internal').replaceAll('-', '_')}`;
  return t(has(key) ? key : 'page_error_internal');
}

/**
 * What went wrong, of an error or of a status.
 * @param {unknown} failure
 */
export function failureText(failure) {
  const { code, check, closeCode } = /** @type {Partial<HufuError>} */ (failure);
  if (code === 'check') return t('page_error_check', check ?? '');
  const closed = `page_close_${closeCode}`;
  return has(closed) ? t(closed) : codeText(code);
}
