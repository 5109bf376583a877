package main

import (
	"context"
	"fmt"
	"syscall/js"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// administer has an operation done. A sealed token that comes back is opened,
// since the key for it never leaves the wasm memory.
func (s *session) administer(ctx context.Context, c *client.Session, op wire.Values) (any, error) {
	doc, err := op.Encode()
	if err == nil && len(doc) > wire.MaxDocRequest {
		err = fmt.Errorf("it has %d bytes, and at most %d are allowed", len(doc), wire.MaxDocRequest)
	}
	if err != nil {
		return nil, &argumentError{"op: " + err.Error()}
	}
	if op["op"] == "unwatch" {
		s.setWatched(nil)
	}
	answer, err := c.Administer(ctx, doc)
	if err != nil {
		return nil, err
	}
	reply, err := wire.DecodeValues(answer.Doc)
	if err != nil {
		c.Reject(wire.CmdAdminister, err)
		return nil, c.Err()
	}
	sealed, there := reply["sealed"].([]byte)
	if !there {
		return reply, nil
	}
	seckeyid, _ := reply["seckeyid"].(uint64)
	token, err := c.Unseal(answer, seckeyid, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(token)
	delete(reply, "sealed")
	reply["token"] = string(token)
	return reply, nil
}

// watcher is whom the page has asked to have called with events.
type watcher struct {
	callback js.Value
	resume   client.Resumption
}

func (s *session) setWatched(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = w
}

// watch asks for events, from the connections to come as well.
func (s *session) watch(ctx context.Context, c *client.Session, w *watcher) (any, error) {
	s.mu.Lock()
	before := s.watched
	s.watched = w
	s.mu.Unlock()
	latest, err := s.askToWatch(ctx, c, w)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.watched == w {
			s.watched = before
		}
		return nil, err
	}
	return latest, nil
}

func (s *session) watchAgain(ctx context.Context, c *client.Session) error {
	s.mu.Lock()
	w := s.watched
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	_, err := s.askToWatch(ctx, c, w)
	return err
}

func (s *session) askToWatch(ctx context.Context, c *client.Session, w *watcher) (uint64, error) {
	op := wire.Values{"op": "watch"}
	s.mu.Lock()
	if since, known := w.resume.Since(); known {
		op["since"] = since
	}
	s.mu.Unlock()
	doc, err := op.Encode()
	if err != nil {
		return 0, err
	}
	answer, err := c.Administer(ctx, doc)
	if err != nil {
		return 0, err
	}
	reply, err := wire.DecodeValues(answer.Doc)
	latest, there := reply["n"].(uint64)
	if err != nil || !there {
		c.Reject(wire.CmdAdminister, err)
		return 0, c.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.resume.Watching(latest)
	return latest, nil
}

// event passes an event on to the page.
func (s *session) event(c *client.Session, e *wire.Event) {
	doc, err := wire.DecodeValues(e.Doc)
	n, there := doc["n"].(uint64)
	if err != nil || !there {
		c.Reject(wire.CmdEvent, err)
		return
	}
	if w := s.isNew(doc, n); w != nil {
		s.tell(w.callback, doc)
	}
}

// isNew returns who is to be called with an event, nil if nobody is.
func (s *session) isNew(doc wire.Values, n uint64) *watcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watched
	if w == nil {
		return nil
	}
	if doc["kind"] == wire.EventLost {
		w.resume.Lost(n)
		return w
	}
	var settled *uint64
	if v, there := doc["settled"].(uint64); there {
		settled = &v
	}
	if !w.resume.Told(n, settled) {
		return nil
	}
	return w
}
