package browser

import (
	"testing"
)

// consoleFaces are the states of the console in which it tells of outlets.
var consoleFaces = []face{
	{"console-overview", filled("operator", "#/overview", "document.querySelector('hufu-bars canvas')")},
	{"console-overview-good", func(t *testing.T) *console {
		s := newSite(t)
		for range 3 {
			_, token := s.enrol()
			m := newTerminal(t, s)
			m.enrol(token)
			m.agent()
		}
		c, _ := openStaff(t, s, "auditor", "#/overview")
		c.until("document.querySelector('[data-test=health][data-good=yes]') && document.querySelector('[data-test=figure-connected] b').textContent === '3'")
		return c
	}},
	{"console-overview-empty", func(t *testing.T) *console {
		c, _ := openStaff(t, newSite(t), "operator", "#/overview")
		c.says("verdict", "No outlets yet")
		return c
	}},
	{"console-overview-table", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/overview")
		c.until("document.querySelector('[data-test=chart-table]')")
		c.run("document.querySelector('[data-test=chart-table]').open = true")
		return c
	}},
	{"console-outlets", filled("operator", "#/outlets", "document.querySelectorAll('[data-test=outlet]').length > 10")},
	{"console-outlets-auditor", filled("auditor", "#/outlets?freshness=stale", "document.querySelector('[data-test=outlet]')")},
	{"console-outlets-none", filled("operator", "#/outlets?q=nowhere", "document.querySelector('[data-test=outlets-empty]')")},
	{"console-people", filled("operator", "#/outlets?role=operator", "document.querySelector('[data-test=outlet]')")},
	{"console-outlet", filled("operator", "#/outlet/net-000001", "document.querySelector('[data-test=key-row]')")},
	{"console-outlet-unknown", bare("auditor", "#/outlet/NOWHERE", "document.querySelector('[data-test=outlet-page] [role=alert]')")},
	{"console-no-page", bare("auditor", "#/nowhere", "document.querySelector('[data-page=lost]')")},
	{"console-enrol", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlets")
		c.click("enrol")
		c.keys("enrol-id", "net-000001")
		c.click("ask-yes")
		c.says("enrol-failure", "is enrolled already")
		return c
	}},
	{"console-token", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlets")
		c.click("enrol")
		c.keys("enrol-id", "FRONT-01")
		c.click("ask-yes")
		c.until("document.querySelector('#token-once').open")
		c.click("token-save")
		c.says("token-done", "Saved")
		return c
	}},
	{"console-disable-asked", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlet/net-000001")
		c.click("enable")
		c.until("document.querySelector('#ask').open")
		return c
	}},
	{"console-cut-asked", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlet/net-000001")
		c.click("cut")
		c.until("document.querySelector('#ask').open")
		return c
	}},
	{"console-stale", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlet/net-000001")
		c.click("enable")
		c.until("document.querySelector('#ask').open")
		c.s.admin("outlet", "disable", "net-000001")
		c.click("ask-yes")
		c.says("outcome", "was disabled already")
		c.until("document.querySelector('.presence[data-presence=disabled]')")
		return c
	}},
	{"console-offline", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlets")
		c.until("document.querySelector('[data-test=outlet]')")
		c.loseServer()
		return c
	}},
}

// openFilled opens the console on a network of a few hundred outlets.
func openFilled(t *testing.T, role, page string) (c *console, id string) {
	t.Helper()
	s := newSite(t)
	fillHistory(t, s, 300, 8)
	return openStaff(t, s, role, page)
}

// filled brings the console, on such a network, to one of its pages.
func filled(role, page, until string) func(t *testing.T) *console {
	return func(t *testing.T) *console {
		c, _ := openFilled(t, role, page)
		c.until(until)
		return c
	}
}

// bare brings the console to one of its pages before there is any outlet.
func bare(role, page, until string) func(t *testing.T) *console {
	return func(t *testing.T) *console {
		c, _ := openStaff(t, newSite(t), role, page)
		c.until(until)
		return c
	}
}
