#!/usr/bin/env bash
# make test: every test of the project, natively, in Chromium and, for the
# protocol, as wasm under Node. Its last line counts them. RACE=1 runs the native
# ones under the race detector; what the browser's tests need of it, integration
# has as well, and they would take half an hour.
set -uo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
race=${RACE:+-race}

# run NAME COMMAND...: shows packages as they end and failures in full.
run() {
	echo "== $1"
	shift
	"$@" 2>&1 | tee -a "$log" | awk '
		/^=== / || /^ *--- PASS/ { next }
		/^PASS$/ { next }
		/\[no test files\]$/ { next }
		{ print; fflush() }' || status=1
}
native() { go test $race -count=1 -timeout 15m -v ${TESTFLAGS:-} $(go list ./... | grep -v '/integration/browser$'); }
browser() { go test -count=1 -timeout 15m -v ${TESTFLAGS:-} ./integration/browser; }
wasm() { GOOS=js GOARCH=wasm go test -count=1 -v -exec "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./shared/wire ./shared/kex ./shared/client; }

# The browser's tests run beside the native ones, and are shown after them.
page=$(mktemp)
trap 'kill $browsing 2>/dev/null; rm -f "$log" "$page"' EXIT
browser >"$page" 2>&1 &
browsing=$!
shown() { cat "$page"; return $browsed; }

run "native${race:+, race detector}" native
wait "$browsing"
browsed=$?
run "in Chromium" shown
run "wasm, under Node" wasm

passed=$(grep -c '^ *--- PASS' "$log")
failed=$(grep -c '^ *--- FAIL' "$log")
skipped=$(grep -c '^ *--- SKIP' "$log")
[ "$skipped" -gt 0 ] && grep '^ *--- SKIP' "$log"
[ "$failed" -gt 0 ] && { echo; grep '^ *--- FAIL' "$log"; }
[ "$passed" -gt 0 ] || { echo "no test ran"; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
