package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
)

// Limits are those of §8 that an operator may want to change. Zero values take
// the defaults.
type Limits struct {
	Waiting        int     // connections that are not yet open, in all: 2000
	WaitingAddress int     // the same from one address: 50; negative: not limited
	PerClient      int     // connections of one client: 4
	NegotiateRate  float64 // negotiations of one client per second: 2
	NegotiateBurst int     // and at once: 10
}

func (l *Limits) setDefaults() {
	if l.Waiting == 0 {
		l.Waiting = 2000
	}
	if l.WaitingAddress == 0 {
		l.WaitingAddress = 50
	}
	if l.PerClient == 0 {
		l.PerClient = 4
	}
	if l.NegotiateRate == 0 {
		l.NegotiateRate = 2
	}
	if l.NegotiateBurst == 0 {
		l.NegotiateBurst = 10
	}
}

// bounds are the deadlines and intervals of §6 and §8, and how many pushes may
// wait for one connection. Nobody but tests changes them.
type bounds struct {
	open, write, close time.Duration
	idle               time.Duration // 0: what the rules tell
	failureStep        time.Duration
	ping               time.Duration
	pushes             int
}

var standard = bounds{
	open: 5 * time.Second, write: 5 * time.Second, close: time.Second,
	failureStep: 50 * time.Millisecond, ping: 30 * time.Second, pushes: 1024,
}

// Server runs sessions. Shutdown ends it.
type Server struct {
	service *keyservice.Service
	log     *slog.Logger
	random  io.Reader
	bounds  bounds
	ctx     context.Context // what requests run under; it ends when Shutdown gives up waiting
	cancel  context.CancelFunc

	registry registry
	waiting  waiting
	rates    rates
	next     atomic.Uint64
	wg       sync.WaitGroup // every goroutine of every session

	// MACFailures counts frames whose authCode was wrong.
	MACFailures atomic.Uint64
}

// New makes a Server over the rules.
func New(service *keyservice.Service, limits Limits, log *slog.Logger) *Server {
	limits.setDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{
		service: service, log: log, random: rand.Reader, bounds: standard, ctx: ctx, cancel: cancel,
		registry: registry{perClient: limits.PerClient, sessions: make(map[*session]struct{}), clients: make(map[string][]*session)},
		waiting:  waiting{max: limits.Waiting, perAddress: limits.WaitingAddress, addresses: make(map[string]int)},
		rates:    newRates(limits.NegotiateRate, limits.NegotiateBurst),
	}
}

// Admit counts a connection that is about to come from an address as not yet
// open; shared says that many clients come from that address, and its own
// limit is off. If it refuses, there are too many. Otherwise Serve must
// follow, or release be called.
func (s *Server) Admit(address string, shared bool) (release func(), ok bool) {
	if !s.waiting.enter(address, shared) {
		return nil, false
	}
	return sync.OnceFunc(func() { s.waiting.leave(address) }), true
}

// Serve runs a session in a goroutine of its own, detached from the handler
// that accepted the connection. socket is what conn runs over, to cut it off;
// release is Admit's.
func (s *Server) Serve(conn *websocket.Conn, socket io.Closer, address string, release func()) {
	n := s.next.Add(1)
	log := s.log.With("conn", n, "peer", address)
	x := &session{server: s, conn: conn, socket: socket, name: fmt.Sprintf("c%d", n), log: log, admitted: release}
	x.out.init(s.bounds.pushes)
	x.ping = time.AfterFunc(s.bounds.ping, func() { x.sendPing(log) })
	if !s.registry.add(x, &s.wg) {
		x.ping.Stop()
		release()
		x.close(websocket.StatusServiceRestart, "")
		return
	}
	go func() {
		defer s.wg.Done()
		x.run(s.ctx)
	}()
}

// Open tells how many sessions are open.
func (s *Server) Open() int { return s.registry.open() }

// Waiting tells how many connections are not yet open.
func (s *Server) Waiting() int { return s.waiting.count() }

// Shutdown lets what is in flight finish, closes every session with 1012 and
// waits for their goroutines. When ctx ends before, it cuts them off.
func (s *Server) Shutdown(ctx context.Context) {
	for _, x := range s.registry.drain() {
		x.closeSoon(websocket.StatusServiceRestart, "the server restarts")
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		for _, x := range s.registry.all() {
			x.cut()
		}
		s.cancel()
		<-done
	}
	s.cancel()
}
