//go:build amd64 || arm64

package shm

import (
	"cmp"
	"runtime"
	"slices"
)

// entries copies the table out, for display: the entries of one client, or of all.
func (m *mapping) entries(client string, now BootTime) (list []Entry) {
	defer runtime.KeepAlive(m)
	d := toIdent(client)
	for i := range m.slots {
		s := &m.slots[i]
		c := s.client()
		if c == (ident{}) || client != "" && c != d {
			continue
		}
		var e Entry
		if !m.copyOut(i, c, &e) || e.State == 0 {
			continue
		}
		e.ClientID = c.String()
		e.settle(now, m.sameBoot())
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.SeckeyID, b.SeckeyID))
	})
	return list
}
