package integration

import (
	"sync"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/store/postgres"
	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// BenchmarkNegotiations measures negotiate with verify, from 64 clients at
// once, against hufu-server on either store, each commit durable. A client's
// quota is ten at once, so that every round has clients of its own. Run:
//
//	go test -run '^$' -bench Negotiations -benchtime 3x ./integration
func BenchmarkNegotiations(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { measure(b, siteOn(b, "")) })
	b.Run("postgres", func(b *testing.B) {
		cluster, err := pgtest.Start(b.Context(), pgtest.FSync())
		must(b, err)
		b.Cleanup(func() { must(b, cluster.Stop()) })
		must(b, cluster.CreateDatabase(b.Context(), "bench", ""))
		must(b, postgres.Migrate(b.Context(), cluster.URL("bench")))
		measure(b, siteOn(b, cluster.URL("bench")))
	})
}

func measure(b *testing.B, s *site) {
	const clients, each = 64, 10
	var took time.Duration
	for b.Loop() {
		b.StopTimer()
		sessions := make([]*client.Session, clients)
		for i := range sessions {
			sessions[i] = s.session(b)
		}
		b.StartTimer()
		began := time.Now()
		var wg sync.WaitGroup
		for _, session := range sessions {
			wg.Go(func() {
				for range each {
					if _, err := agree(b, session); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		took += time.Since(began)
		b.StopTimer()
		for _, session := range sessions {
			session.Close()
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*clients*each)/took.Seconds(), "negotiations/s")
	b.ReportMetric(0, "ns/op")
}

// session is an open connection of a new outlet.
func (s *site) session(t testing.TB) *client.Session {
	t.Helper()
	token := s.outlet(t, wire.RoleOutlet).token
	transport, err := client.Dial(t.Context(), token.Dial())
	must(t, err)
	keys := kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: token.ServerID, Epoch: token.Epoch})
	defer keys.Zero()
	session, err := client.Open(t.Context(), transport, keys, client.Options{})
	must(t, err)
	return session
}

// agree negotiates a key and verifies it.
func agree(t testing.TB, session *client.Session) (seckeyid uint64, err error) {
	fresh, err := session.Negotiate(t.Context(), 0)
	if err != nil {
		return 0, err
	}
	defer fresh.Held.Zero()
	_, err = session.Verify(t.Context(), fresh.Seckeyid, fresh.Held)
	return fresh.Seckeyid, err
}
