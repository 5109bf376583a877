package browser

import (
	"strings"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// TestConsoleHelp: every state, reason, kind and role that there is, is
// explained, every kind can be selected among the events, and the keys do what
// the page says, unless they are turned off.
func TestConsoleHelp(t *testing.T) {
	s := newSite(t)
	c, _ := openStaff(t, s, "auditor", "#/help")
	c.until("document.querySelector('[data-test=help]')")
	explains := func(section string, words ...string) {
		t.Helper()
		terms := eval[[]string](c.tab, "return [...document.querySelectorAll("+quote(hook("help-"+section)+" dt")+")].map((d) => d.textContent.trim())")
		for _, word := range words {
			found := false
			for _, term := range terms {
				found = found || strings.HasSuffix(term, word)
			}
			if !found {
				t.Errorf("%s does not explain %q: %q", section, word, terms)
			}
		}
	}
	for state := wire.StatePending; state <= wire.StateRevoked; state++ {
		explains("states", state.String())
	}
	for reason := range wire.ReasonSecretCut + 1 {
		explains("reasons", reason.String())
	}
	explains("reasons", "6–255")
	explains("people", wire.RoleOutlet.String(), wire.RoleOperator.String(), wire.RoleAuditor.String())
	kinds := strings.Split(keyservice.KindNames(), ", ")
	for _, kind := range kinds {
		explains("kinds", text.English.T("kind_"+kind))
	}
	c.run("location.hash = '#/events'")
	for _, kind := range kinds {
		c.until("document.querySelector(" + quote(hook("kind-"+kind)) + ")")
	}

	at := func(page string) { t.Helper(); c.until("location.hash === " + quote(page)) }
	c.run("document.activeElement.blur()")
	c.letters("gh")
	at("#/history")
	c.until("document.activeElement.id === 'main'")
	c.letters("/")
	c.until("document.activeElement === document.querySelector('[data-test=filter-outlet]')")
	c.letters("g?") // text, in a field
	c.until("document.activeElement.value === 'g?'")
	c.run("document.activeElement.blur()")
	at("#/history") // nobody's identifier leads nowhere
	c.letters("?")
	at("#/help")
	c.letters("ge")
	at("#/events")
	c.run("location.hash = '#/help'")
	c.click("shortcuts")
	c.run("document.activeElement.blur()")
	c.letters("gh")
	if hash := eval[string](c.tab, "return location.hash"); hash != "#/help" {
		t.Errorf("turned off, they lead to %s", hash)
	}
	c.click("shortcuts")
	c.run("document.activeElement.blur()")
	c.letters("gh")
	at("#/history")
}
