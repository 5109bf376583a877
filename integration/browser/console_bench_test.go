package browser

import (
	"testing"
	"time"
)

// BenchmarkConsoleSeen measures from the answer to one operator's act until
// another person's page shows it.
func BenchmarkConsoleSeen(b *testing.B) {
	s := newSite(b)
	id, _ := s.enrol()
	first, _ := openStaff(b, s, "operator", "#/outlet/"+id)
	second, _ := openStaff(b, s, "auditor", "#/outlets")
	second.until(row(id, ""))
	first.until("document.querySelector('[data-test=enable]')")
	var sum, most time.Duration
	n := 0
	for b.Loop() {
		first.click("enable")
		first.click("ask-yes")
		first.until("document.querySelector('[data-test=outcome] p')")
		began := time.Now()
		second.until(row(id, "[data-disabled="+[]string{"yes", "no"}[n%2]+"]"))
		took := time.Since(began)
		sum, most, n = sum+took, max(most, took), n+1
		first.click("hush")
		first.says("enable", []string{"Disable", "Enable"}[n%2]) // what it does the next time
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(n), "ms/seen")
	b.ReportMetric(float64(most.Milliseconds()), "ms-at-most")
}
