package browser

import (
	"syscall"
	"testing"
)

// consoleFaces are the states of the console in which it tells of outlets.
var consoleFaces = []face{
	{"console-overview", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/overview")
		c.until("document.querySelector('hufu-bars canvas')")
		return c
	}},
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
	{"console-outlets", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlets")
		c.until("document.querySelectorAll('[data-test=outlet]').length > 10")
		return c
	}},
	{"console-outlets-auditor", func(t *testing.T) *console {
		c, _ := openFilled(t, "auditor", "#/outlets?freshness=stale")
		c.until("document.querySelector('[data-test=outlet]')")
		return c
	}},
	{"console-outlets-none", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlets?q=nowhere")
		c.until("document.querySelector('[data-test=outlets-empty]')")
		return c
	}},
	{"console-people", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlets?role=operator")
		c.until("document.querySelector('[data-test=outlet]')")
		return c
	}},
	{"console-outlet", func(t *testing.T) *console {
		c, _ := openFilled(t, "operator", "#/outlet/net-000001")
		c.until("document.querySelector('[data-test=key-row]')")
		return c
	}},
	{"console-outlet-unknown", func(t *testing.T) *console {
		c, _ := openStaff(t, newSite(t), "auditor", "#/outlet/NOWHERE")
		c.until("document.querySelector('[data-test=outlet-page] [role=alert]')")
		return c
	}},
	{"console-no-page", func(t *testing.T) *console {
		c, _ := openStaff(t, newSite(t), "auditor", "#/nowhere")
		c.until("document.querySelector('[data-page=lost]')")
		return c
	}},
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
		c.allow(offline...)
		c.s.stop(syscall.SIGKILL)
		c.says("countdown", "Next attempt in")
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
