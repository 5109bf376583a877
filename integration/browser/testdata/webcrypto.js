// Computes the fingerprint of a negotiation by WebCrypto alone, from docs/protocol.md:
// the token, what was seen on the wire, and the randomness that was drawn.
async function fingerprint(secret, seen, draws) {
  const text = (s) => new TextEncoder().encode(s);
  const hex = (s) => Uint8Array.fromHex(s);
  const join = (...parts) => {
    const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const p of parts) {
      all.set(p, at);
      at += p.length;
    }
    return all;
  };
  const u32 = (n) => {
    const b = new Uint8Array(4);
    new DataView(b.buffer).setUint32(0, n);
    return b;
  };
  const u64 = (n) => {
    const b = new Uint8Array(8);
    new DataView(b.buffer).setBigUint64(0, BigInt(n));
    return b;
  };
  const value = (x) => (typeof x === 'number' ? u64(x) : typeof x === 'string' ? text(x) : x);
  const lp = (b) => join(u32(b.length), b);
  const E = (label, ...xs) => join(lp(text(label)), u32(xs.length), ...xs.map((x) => lp(value(x))));

  const sha256 = async (b) => new Uint8Array(await crypto.subtle.digest('SHA-256', b));
  const hmac = async (key, b) => {
    const k = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    return new Uint8Array(await crypto.subtle.sign('HMAC', k, b));
  };
  const extract = (salt, ikm) => hmac(value(salt), ikm); // RFC 5869 §2.2
  // WebCrypto has HKDF whole; Expand of 32 bytes is one HMAC (docs/protocol.md §15).
  const expand = (prk, info) => hmac(prk, join(info, Uint8Array.of(1)));
  const whole = async (salt, ikm, info) => {
    const k = await crypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits']);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, k, 256));
  };

  const { clientId, serverId, epoch } = seen;
  const mixKey = await whole(text('hufu1 enrol'), secret, E('hufu1 mix', clientId, serverId, epoch));
  const th0 = await sha256(E('hufu1 conn', 1, serverId, clientId, epoch, hex(seen.serverNonce), hex(seen.clientNonce)));

  const [r1, seed, x25519] = [draws.slice(0, 32), draws.slice(32, 96), draws.slice(96, 128)];
  const shareC = hex(seen.shareC);
  const shareS = hex(seen.shareS);
  const kem = await crypto.subtle.importKey('raw-seed', seed, { name: 'ML-KEM-768' }, false, ['decapsulateBits']);
  const kemSecret = new Uint8Array(await crypto.subtle.decapsulateBits({ name: 'ML-KEM-768' }, kem, shareS.slice(0, 1088)));
  const own = await crypto.subtle.importKey('pkcs8', join(hex('302e020100300506032b656e04220420'), x25519), 'X25519', false, ['deriveBits']);
  const peer = await crypto.subtle.importKey('raw', shareS.slice(1088), 'X25519', false, []);
  const dhSecret = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: peer }, own, 256));

  const th = await sha256(E('hufu1 neg', th0, seen.q, clientId, serverId, r1, shareC, hex(seen.r2), shareS, seen.seckeyid, seen.lifetime));
  const prk = await extract(mixKey, join(kemSecret, dhSecret));
  const ms = await expand(prk, E('hufu1 master', th));
  const key = await expand(ms, E('hufu1 key'));
  const fp = await sha256(E('hufu1 fp', key));
  return { fingerprint: fp.slice(0, 8).toHex(), r1: r1.toHex() };
}
globalThis.fingerprint = fingerprint;
