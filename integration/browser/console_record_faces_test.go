package browser

import (
	"strings"
	"testing"
	"time"
)

// recordFaces are the states of the console in which it tells of keys and of
// what has happened.
var recordFaces = []face{
	{"record-history", filled("auditor", "#/history", "document.querySelector('[data-test=earlier]')")},
	{"record-history-selected", func(t *testing.T) *console {
		day := time.Now().AddDate(0, 0, -1).Format(time.DateOnly)
		c, _ := openFilled(t, "auditor", "#/history?outlet=net-000007&from="+day+"&to="+day+"&states=expired,retired")
		c.until("document.querySelector('[data-test=row]')")
		return c
	}},
	{"record-history-empty", bare("auditor", "#/history", "document.querySelector('[data-test=history-empty]')")},
	{"record-history-wrong", filled("auditor", "#/history?outlet=no+such+outlet", "document.querySelector('[data-test=history] [role=alert]')")},
	{"record-exporting", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/history")
		c.run(`globalThis.showSaveFilePicker = async () => { // a file on a disk that is full of other work
			let lines = 0;
			return { createWritable: async () => ({ write: () => (lines++ < 3 ? Promise.resolve() : new Promise(() => {})), abort: async () => {} }) };
		}`)
		c.click("export-csv")
		c.until("document.querySelector('[data-test=export-rows]')?.textContent.includes('keys')")
		return c
	}},
	{"record-exported", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/history")
		c.run("globalThis.showSaveFilePicker = async () => (await navigator.storage.getDirectory()).getFileHandle('history.csv', { create: true })")
		c.click("export-csv")
		c.until("document.querySelector('[data-test=export][data-state=done]')")
		return c
	}},
	{"record-key", filled("operator", "#/key/net-000007/8", "document.querySelector('[data-test=key-revoke]')")},
	{"record-key-ended", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/key/net-000007/2")
		c.says("key-state", "expired")
		return c
	}},
	{"record-key-revoked", func(t *testing.T) *console {
		c, _ := openRevoked(t)
		c.until("document.querySelector('[data-step=receipt]')")
		return c
	}},
	{"record-key-no-receipt", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/key/net-000007/8")
		c.click("key-revoke")
		c.keys("revoke-own", "42")
		c.click("ask-yes")
		c.says("outcome", "is revoked")
		c.until("document.querySelector('[data-step=revoked]')")
		return c
	}},
	{"record-revoke-asked", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/key/net-000007/8")
		c.click("key-revoke")
		c.until("document.querySelector('#ask').open")
		return c
	}},
	{"record-key-none", filled("operator", "#/key/net-000007/800", "document.querySelector('[data-test=key-page] [role=alert]')")},
	{"record-events", func(t *testing.T) *console {
		c, _ := openRevoked(t)
		c.run("location.hash = '#/events'")
		c.until("document.querySelector('[data-test=event]')")
		return c
	}},
	{"record-events-kinds", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/events?kinds=revoked,mismatch")
		c.until("document.querySelector('[data-test=event]')")
		c.run("document.querySelector('details.kinds').open = true")
		return c
	}},
	{"record-events-paused", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/events")
		c.until("document.querySelector('[data-test=event]')")
		c.click("pause")
		c.s.enrol()
		c.says("pause", "new") // also that this person came, where it is written down late
		return c
	}},
	{"record-events-none", filled("auditor", "#/events?to=2020-01-01", "document.querySelector('[data-test=events-empty]')")},
	{"record-events-offline", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/events")
		c.until("document.querySelector('[data-test=event]')")
		c.loseServer()
		return c
	}},
	{"record-help", bare("operator", "#/help", "document.querySelector('[data-test=help]')")},
}

// openRevoked shows a key that an operator has revoked and its agent wiped.
func openRevoked(t *testing.T) (c *console, id string) {
	t.Helper()
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	m.agent()
	eventually(t, "the agent holds a key", func() bool { out, ok := m.try("show"); return ok && strings.Contains(out, "active") })
	c, _ = openStaff(t, s, "operator", "#/key/"+id+"/1")
	c.click("key-revoke")
	c.keys("revoke-note", "Laptop lost on the train, reported at 09:40 by the branch")
	c.click("ask-yes")
	c.says("outcome", "is revoked")
	return c, id
}
