#!/usr/bin/env bash
# make test: every test of the project, natively and, for the protocol, as wasm
# under Node. Its last line counts them. RACE=1 runs them under the race
# detector.
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
native() { go test $race -count=1 -timeout 30m -v ${TESTFLAGS:-} ./...; }
wasm() { GOOS=js GOARCH=wasm go test -count=1 -v -exec "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./shared/wire ./shared/kex ./shared/client; }

run "native${race:+, race detector}" native
run "wasm, under Node" wasm

passed=$(grep -c '^ *--- PASS' "$log")
failed=$(grep -c '^ *--- FAIL' "$log")
skipped=$(grep -c '^ *--- SKIP' "$log")
[ "$skipped" -gt 0 ] && grep '^ *--- SKIP' "$log"
[ "$failed" -gt 0 ] && { echo; grep '^ *--- FAIL' "$log"; }
[ "$passed" -gt 0 ] || { echo "no test ran"; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
