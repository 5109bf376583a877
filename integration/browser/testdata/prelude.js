// What the tests of the bridge share in their page.
async function load(folder) {
  await import(folder + 'wasm_exec.js');
  await runs(WebAssembly.instantiateStreaming.bind(WebAssembly, fetch(folder + 'hufu.wasm')));
}

async function runs(instantiate) {
  globalThis.go = new Go();
  const { instance } = await instantiate(go.importObject);
  go.run(instance).then(() => console.error('the wasm runtime has ended'));
}

// A session that keeps what it was told.
async function open(token, options = {}) {
  const told = { trace: [], keys: [], status: [] };
  const session = await hufu.connect({
    token,
    url: location.origin.replace('http', 'ws') + '/ws',
    onTrace: (e) => told.trace.push(e),
    onKey: (c) => told.keys.push(c),
    onStatus: (s) => told.status.push({ ...s }),
    ...options,
  });
  return { session, told };
}

async function until(what, ok, ms = 20000) {
  for (const end = performance.now() + ms; !ok(); await new Promise((r) => setTimeout(r, 5))) {
    if (performance.now() > end) throw new Error('it did not happen: ' + what);
  }
}

// How a promise failed; what it resolved with makes the test fail.
async function failure(promise) {
  try {
    return { resolved: await promise };
  } catch (e) {
    return { real: e instanceof Error, name: e.name, code: e.code, check: e.check, closeCode: e.closeCode, message: e.message };
  }
}
globalThis.load = load;
globalThis.runs = runs;
globalThis.openSession = open;
globalThis.until = until;
globalThis.failure = failure;
