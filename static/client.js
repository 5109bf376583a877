// The wasm client, loaded when it is first needed.

/** @typedef {import("../wasmclient/hufu.d.ts").Hufu} Hufu */

/** @type {Promise<Hufu> | undefined} */
let loading;

/** The client; a failed load is tried anew by the next call. @returns {Promise<Hufu>} */
export function client() {
  loading ??= start().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function start() {
  await import('./wasm_exec.js');
  const go = new Go();
  const { instance } = await WebAssembly.instantiateStreaming(fetch(new URL('hufu.wasm', import.meta.url)), go.importObject);
  go.run(instance);
  return globalThis.hufu;
}
