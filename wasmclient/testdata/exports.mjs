// Prints what the bridge exports, a member a line, as contract_test.go reads hufu.d.ts.
import { readFile } from 'node:fs/promises';

const [, , loader, wasm] = process.argv;
globalThis.WebSocket = class {
  constructor() {
    setTimeout(() => {
      this.onerror?.({});
      this.onclose?.({ code: 1006, reason: '' });
    });
  }
  close() {}
};
await import(loader);
const go = new Go();
const { instance } = await WebAssembly.instantiate(await readFile(wasm), go.importObject);
go.run(instance);

// b of docs/protocol.md §9 for http://a, server S, client C, an outlet of epoch 1.
async function token() {
  const lp = (bytes) => [0, 0, 0, bytes.length, ...bytes];
  const text = (s) => lp([...new TextEncoder().encode(s)]);
  const number = (n) => lp([0, 0, 0, 0, 0, 0, 0, n]);
  const b = Uint8Array.from([...text('hufu1 token'), 0, 0, 0, 6, ...text('http://a'), ...text('S'), ...text('C'), ...number(1), ...number(1),
    ...lp(Array(32).fill(7))]);
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', b));
  return 'hufu1_' + Buffer.from([...b, ...sum.slice(0, 4)]).toString('base64url');
}

async function print(name, object, inherited = {}) {
  for (const member of [...Object.getOwnPropertyNames(object), ...Object.getOwnPropertyNames(inherited)]) {
    if (typeof object[member] !== 'function') {
      console.log(name, member, 'value');
      continue;
    }
    const result = object[member]();
    const promise = result instanceof Promise;
    if (promise) result.catch(() => {});
    console.log(name, member, promise ? 'promise' : 'at once');
  }
}

const statuses = [];
const session = await hufu.connect({ token: await token(), onStatus: (s) => statuses.push(s) });
await print('TokenInfo', await hufu.inspect(await token()));
while (!statuses.some((s) => s.state === 'waiting')) await new Promise((r) => setTimeout(r, 5));
for (const s of statuses) await print('Status', s);
await print('HufuError', await hufu.connect().catch(({ name, ...own }) => own));
await print('Session', session, Object.getPrototypeOf(session));
await session.close();
await print('Hufu', hufu);
process.exit(0);
