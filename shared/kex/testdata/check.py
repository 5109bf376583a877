"""Recomputes testdata/vectors.json from docs/protocol.md in another language.

Standard library only: HKDF, HMAC, SHA-256, X25519, base64 and msgpack. ML-KEM
and AES-GCM are not in it: ss_mlkem and the sealed bytes are taken as they are.
Usage: python3 check.py vectors.json
"""
import base64
import hashlib
import hmac
import json
import sys

vectors = json.load(open(sys.argv[1], encoding="utf-8"))
checked = 0


def check(name, got, want):
    global checked
    checked += 1
    if got != want:
        sys.exit(f"{name}: {got!r} is not {want!r}")


def raw(text):
    return bytes.fromhex(text)


# Section 2.
def u64(v):
    return (v % 2**64).to_bytes(8, "big")


def lp(b):
    return len(b).to_bytes(4, "big") + b


def E(label, *parts):
    parts = [u64(p) if isinstance(p, int) else p.encode() if isinstance(p, str) else p for p in parts]
    return lp(label.encode()) + len(parts).to_bytes(4, "big") + b"".join(lp(p) for p in parts)


def sha256(b):
    return hashlib.sha256(b).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def extract(salt, ikm):
    return mac(salt, ikm)


def expand(prk, info):
    return mac(prk, info + b"\x01")  # RFC 5869 for 32 bytes: T(1)


# RFC 7748 section 5.
def x25519(k, u):
    p = 2**255 - 19
    k = bytearray(k)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    x1 = int.from_bytes(u, "little") % 2**255 % p
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


# The msgpack of section 2, every header format of int, str, bin, map and array.
def unpack(b):
    value, rest = item(b)
    if rest:
        raise ValueError("bytes follow")
    return value


def item(b):
    c, b = b[0], b[1:]

    def number(width, signed=False):
        return int.from_bytes(b[:width], "big", signed=signed), b[width:]

    def take(n, b):
        if n > len(b):
            raise ValueError("too long")
        return b[:n], b[n:]

    if c <= 0x7F:
        return c, b
    if c >= 0xE0:
        return c - 256, b
    if c <= 0x9F:
        return items(c & 15, b, c <= 0x8F)
    if c <= 0xBF:
        s, b = take(c & 31, b)
        return s.decode(), b
    if c in (0xC4, 0xC5, 0xC6):
        n, b = number(1 << c - 0xC4)
        return take(n, b)
    if 0xCC <= c <= 0xCF:
        return number(1 << c - 0xCC)
    if 0xD0 <= c <= 0xD3:
        return number(1 << c - 0xD0, True)
    if c in (0xD9, 0xDA, 0xDB):
        n, b = number(1 << c - 0xD9)
        s, b = take(n, b)
        return s.decode(), b
    if c in (0xDC, 0xDD, 0xDE, 0xDF):
        n, b = number(2 << (c & 1))
        return items(n, b, c >= 0xDE)
    raise ValueError(f"format {c:#x}")


def items(n, b, is_map):
    values = []
    for _ in range(n):
        if is_map:
            key, b = item(b)
        value, b = item(b)
        values.append((key, value) if is_map else value)
    if is_map and len(dict(values)) != n:
        raise ValueError("a key twice")
    return (dict(values) if is_map else values), b


# Section 4.
i, c, x = vectors["inputs"], vectors["connection"], vectors["exchange"]
client, server, epoch = i["client_id"], i["server_id"], i["epoch"]
prk0 = extract(b"hufu1 enrol", raw(i["secret"]))
k_auth = expand(prk0, E("hufu1 auth", client, server, epoch))
k_mix = expand(prk0, E("hufu1 mix", client, server, epoch))
th0 = sha256(E("hufu1 conn", 1, server, client, epoch, raw(i["n_s"]), raw(i["n_c"])))
k_c2s = expand(k_auth, E("hufu1 c2s", th0))
k_s2c = expand(k_auth, E("hufu1 s2c", th0))
for name, value in [("prk0", prk0), ("k_auth", k_auth), ("k_mix", k_mix), ("th0", th0), ("k_c2s", k_c2s), ("k_s2c", k_s2c)]:
    check(name, value.hex(), c[name])

share_c, share_s = raw(x["share_c"]), raw(x["share_s"])
base = (9).to_bytes(32, "little")
private_c, private_s = raw(i["x25519_private_c"]), raw(i["x25519_private_s"])
check("the client's X25519 share", x25519(private_c, base), share_c[1184:])
check("the server's X25519 share", x25519(private_s, base), share_s[1088:])
ss_x25519 = x25519(private_c, share_s[1088:])
check("ss_x25519 at the client", ss_x25519.hex(), x["ss_x25519"])
check("ss_x25519 at the server", x25519(private_s, share_c[1184:]).hex(), x["ss_x25519"])

Z = raw(x["ss_mlkem"]) + ss_x25519
th = sha256(E("hufu1 neg", th0, i["negotiation_q"], client, server, raw(i["r1"]), share_c, raw(i["r2"]), share_s, i["seckeyid"], i["lifetime"]))
prk = extract(k_mix, Z)
ms = expand(prk, E("hufu1 master", th))
key = expand(ms, E("hufu1 key"))
k_cc = expand(ms, E("hufu1 cconf"))
k_sc = expand(ms, E("hufu1 sconf"))
k_seal = expand(ms, E("hufu1 seal"))
fp = sha256(E("hufu1 fp", key))[:8]
for name, value in [("Z", Z), ("th", th), ("prk", prk), ("ms", ms), ("key", key), ("k_cc", k_cc), ("k_sc", k_sc),
                    ("k_seal", k_seal), ("fp", fp), ("sha256_key", sha256(key))]:
    check(name, value.hex(), x[name])

# Sections 3 and 5. The body of every message, in the order of the MAC.
BODY = {
    ("request", 1): ["r1", "share"], ("reply", 1): ["seckeyid", "r2", "share", "lifetime", "confirm"],
    ("request", 2): ["seckeyid", "confirm"], ("reply", 2): ["confirm", "state"],
    ("request", 3): ["seckeyid", "reason"], ("request", 7): ["seckeyid", "state"],
    ("request", 4): ["doc", "cursor", "limit"], ("reply", 4): ["doc", "cursor"],
    ("request", 6): ["doc"], ("reply", 6): ["doc"], ("reply", 0): ["role", "idle", "grace", "now"],
    ("notice", 17): ["seckeyid", "state", "reason"], ("notice", 18): ["doc"],
}


def auth_code(m, request):
    cmd, ids = m["cmdType"], [m["clientId"], m["serverId"]]
    if "rv" in m:
        body = BODY.get(("reply", cmd), []) if m["rv"] == 0 else []
        return mac(k_s2c, E("hufu1 rep", th0, cmd, m["p"], m["q"], request, m["rv"], m["error"], *ids, *[m[f] for f in body]))
    if cmd in (17, 18):
        return mac(k_s2c, E("hufu1 psh", th0, cmd, m["p"], *ids, *[m[f] for f in BODY["notice", cmd]]))
    return mac(k_c2s, E("hufu1 req", th0, cmd, m.get("q", 0), *ids, *[m[f] for f in BODY.get(("request", cmd), [])]))


sent = {}
for message in vectors["messages"]:
    name, m = message["name"], unpack(raw(message["frame"]))
    sent[name] = m
    if "authCode" not in message:
        continue
    request = raw(sent[message["answers"]]["authCode"]) if "answers" in message else b""
    check(name, auth_code(m, request).hex(), m["authCode"])
    check(name, message["authCode"], m["authCode"])
    if "confirm" not in m:
        continue
    if name == "negotiate ok":
        want = mac(k_sc, E("hufu1 hneg", th))
    elif "rv" not in m:
        want = mac(k_cc, E("hufu1 hc", th0, m["q"], m["seckeyid"], sha256(key)))
    else:
        asked = sent[message["answers"]]
        want = mac(k_sc, E("hufu1 hs", th0, m["q"], asked["seckeyid"], sha256(key), asked["confirm"]))
    check(name + "'s confirm", m["confirm"], want)

check("the hello's nonce", sent["hello"]["nonce"], raw(i["n_s"]))
check("the open's nonce", sent["open"]["nonce"], raw(i["n_c"]))
check("the row's fp", unpack(sent["view ok"]["doc"])["rows"][0]["fp"], fp.hex())
check("the open's refusal", vectors["messages"][-1]["frame"], "83a776657273696f6e01a7636d645479706500a27276ff")

# Section 9.
t = vectors["token"]
b = E("hufu1 token", t["url"], t["server_id"], t["client_id"], t["role"], t["epoch"], raw(t["secret"]))
check("the token's bytes", b.hex(), t["bytes"])
check("the token", "hufu1_" + base64.urlsafe_b64encode(b + sha256(b)[:4]).decode().rstrip("="), t["token"])

# Section 5: all of a sealed token but the cipher.
s = vectors["sealed"]
check("the sealed token's request", s["request_authCode"], sent["administer"]["authCode"])
check("the sealed token's data", E("hufu1 sealed", th0, s["p"], raw(s["request_authCode"])).hex(), s["associated_data"])
check("the sealed token's place", unpack(sent["administer ok"]["doc"])["sealed"].hex(), s["sealed"])
check("the sealed token's nonce", s["sealed"][:24], s["nonce"])
check("the sealed token's length", len(raw(s["sealed"])), 12 + len(s["opens_to"]) + 16)

# Negatives whose MAC or proof is wrong: they are well-formed, and differ.
for n in vectors["negative"]:
    if n["class"] == "authCode mismatch" and "epoch" not in (m := unpack(raw(n["frame"]))):
        check(n["name"], auth_code(m, raw(n.get("request_authCode", ""))).hex() != m["authCode"], True)
    if n["class"] == "confirm mismatch":
        m = unpack(raw(n["frame"]))
        check(n["name"], auth_code(m, raw(n.get("request_authCode", ""))).hex(), m["authCode"])
    if n["class"].endswith("low order point"):
        check(n["name"], x25519(private_c, raw(n["x25519"])), bytes(32))

print(f"{checked} values agree")
