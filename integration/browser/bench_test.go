package browser

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// nativeOnce goes from dialling to the verified key as the native client does.
func nativeOnce(t testing.TB, token string) time.Duration {
	t.Helper()
	parsed := must(wire.DecodeToken(token))(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begin := time.Now()
	keys := kex.Derive(&parsed.Secret, kex.Identity{ClientID: parsed.ClientID, ServerID: parsed.ServerID, Epoch: parsed.Epoch})
	clock := client.ElapsedClock()
	keeper := client.NewKeeper(client.NewMemoryHolder(clock), client.KeeperOptions{Clock: clock})
	defer keeper.Close()
	transport := must(client.Dial(ctx, parsed.Dial()))(t)
	session := must(client.Open(ctx, transport, keys, keeper.Attach(client.Options{})))(t)
	defer session.Close()
	outcome := must(keeper.Negotiate(ctx, session))(t)
	_ = outcome.FP.String()
	return time.Since(begin)
}

const pageOnce = `
	const begin = performance.now();
	const session = await hufu.connect({ token: %q, url: location.origin.replace('http', 'ws') + '/ws' });
	const { fingerprint } = await session.negotiate();
	const took = performance.now() - begin;
	await session.close();
	return took;`

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// compare takes turns, so that whatever else the machine does is shared.
func compare(t testing.TB, tb *tab, native, page string, rounds int) (inPage, natively time.Duration) {
	var pages, natives []time.Duration
	for range rounds {
		natives = append(natives, nativeOnce(t, native))
		pages = append(pages, time.Duration(eval[float64](tb, fmt.Sprintf(pageOnce, page))*float64(time.Millisecond)))
	}
	return median(pages), median(natives)
}

// BenchmarkNegotiate goes from dialling to the fingerprint of a verified key, in
// a page and natively by turns, and reports both medians and their ratio. A
// page is to take at most three times as long.
func BenchmarkNegotiate(b *testing.B) {
	s := newSite(b)
	_, native := s.enrol()
	_, page := s.enrol()
	tb := newTab(b, s)
	compare(b, tb, native, page, 5)
	b.ResetTimer()
	inPage, natively := compare(b, tb, native, page, max(b.N, 10))
	b.ReportMetric(float64(inPage.Microseconds()), "page-µs")
	b.ReportMetric(float64(natively.Microseconds()), "native-µs")
	b.ReportMetric(float64(inPage)/float64(natively), "ratio")
	b.ReportMetric(0, "ns/op")
}
