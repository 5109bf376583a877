package browser

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"testing"

	"hufu/shared/wire"
)

//go:embed testdata/webcrypto.js
var webcrypto string

// TestWebCrypto has the browser's own X25519, ML-KEM-768 and HKDF derive the
// key of a live negotiation: an implementation that shares nothing with ours.
func TestWebCrypto(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	secret := must(wire.DecodeToken(token))(t).Secret
	tb := newTestTab(t, s)
	tb.run(webcrypto)
	tb.run("globalThis.a = await openSession(" + quote(token) + ")")
	for range 3 {
		agreed := eval[key](tb, "return a.session.negotiate()")
		got := eval[struct{ Fingerprint, R1, Sent string }](tb, fmt.Sprintf(`
			const last = (sent, name) => {
				const e = a.told.trace.findLast((e) => e.sent === sent && e.name === name);
				return Object.fromEntries(e.fields.map((f) => [f.name, f.value]));
			};
			const hello = last(false, 'hello'), open = last(true, 'open'), ask = last(true, 'negotiate'), reply = last(false, 'negotiate');
			const draws = (await hufu.draws()).filter((d) => d.length === 128).at(-1);
			const made = await fingerprint(Uint8Array.fromHex(%q), {
				clientId: open.clientId, serverId: open.serverId, epoch: Number(open.epoch),
				serverNonce: hello.nonce, clientNonce: open.nonce, q: Number(ask.q), shareC: ask.share,
				r2: reply.r2, shareS: reply.share, seckeyid: Number(reply.seckeyid), lifetime: Number(reply.lifetime),
			}, draws);
			return { ...made, sent: ask.r1 };`, hex.EncodeToString(secret[:])))
		if got.R1 != got.Sent {
			t.Fatalf("the randomness is not that of the message: %s, %s", got.R1, got.Sent)
		}
		if r := s.record(id, agreed.Seckeyid); got.Fingerprint != agreed.Fingerprint || r.Fingerprint != got.Fingerprint {
			t.Errorf("WebCrypto derives %s, the bridge %s, the centre %s", got.Fingerprint, agreed.Fingerprint, r.Fingerprint)
		}
	}
}
