//go:build amd64 || arm64

package shm

import (
	"cmp"
	"runtime"
	"slices"
)

// entries copies out the entries of one client, or of all, for display.
func (m *mapping) entries(client string, now BootTime) (list []Entry) {
	defer runtime.KeepAlive(m)
	add := func(i int, c ident) {
		var e Entry
		if !m.copyOut(i, c, &e) || e.State == 0 {
			return
		}
		e.ClientID = c.String()
		e.settle(now, m.sameBoot())
		list = append(list, e)
	}
	if client == "" {
		for i := range m.slots {
			if c := m.slots[i].client(); c != (ident{}) {
				add(i, c)
			}
		}
	} else {
		d := toIdent(client)
		total := m.total0()
		i := d.home(total)
		for range min(m.maxProbe.Load(), total) {
			if m.slots[i].free() {
				break
			}
			if m.slots[i].isClient(d) {
				add(int(i), d)
			}
			if i++; i == total {
				i = 0
			}
		}
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.SeckeyID, b.SeckeyID))
	})
	return list
}

// Clients lists, in ascending order, the clients that have a key in the segment.
func (w *Writer) Clients() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return nil
	}
	defer runtime.KeepAlive(w.m)
	var list []string
	for i := range w.m.slots {
		if s := &w.m.slots[i]; s.live() {
			list = append(list, s.client().String())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
