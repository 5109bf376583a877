#!/usr/bin/env bash
# make test: every test of the project, natively, in Chromium and, for the
# protocol, as wasm under Node. Its last line counts them. RACE=1 runs the native
# ones under the race detector; what the browser's tests need of it, integration
# has as well, and they would take half an hour.
#
# AGAIN=1, for machines that have other work besides: real programs run against
# real clocks here, and a machine that stands still fails a test that is right.
# Up to three tests that failed are run once more, each by itself, and are named
# as unsteady if they pass then. What no clock causes stays a failure: a data
# race, a panic, whatever does not build.
set -uo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
page=$(mktemp)
browsing=
trap 'kill $browsing 2>/dev/null; rm -f "$log" "$page"' EXIT
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
		{ print; fflush() }'
}
native() { go test $race -count=1 -timeout 20m -v ${TESTFLAGS:-} $(go list ./... | grep -v '/integration/browser$'); }
browser() { go test -count=1 -timeout 20m -v ${TESTFLAGS:-} ./integration/browser; }
wasm() { GOOS=js GOARCH=wasm go test -count=1 -v -exec "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" ./shared/wire ./shared/kex ./shared/client; }

# failures: the tests that failed, a package and a test a line; a package alone
# if it failed otherwise.
failures() {
	awk '
		/^--- FAIL: / { failed[++n] = $3 }
		/^(FAIL|ok  )\t/ {
			if ($1 == "FAIL" && n == 0) print $2
			for (i = 1; i <= n; i++) print $2, failed[i]
			n = 0
		}' "$log"
}

# again: runs the tests that failed once more.
again() {
	grep -qE 'WARNING: DATA RACE|^(panic|fatal error): ' "$log" && return 1
	local list package name detector
	list=$(failures)
	[ -n "$list" ] && [ "$(wc -l <<<"$list")" -le 3 ] || return 1
	while read -r package name; do
		[ -n "$name" ] || return 1
		detector=$race
		[[ $package == */browser ]] && detector=
		run "once more: $name" go test $detector -count=1 -timeout 10m -v ${TESTFLAGS:-} -run "^$name\$" "$package" </dev/null || return 1
		unsteady+=("$package $name")
	done <<<"$list"
}

# The browser's tests run beside the native ones, and are shown after them.
browser >"$page" 2>&1 &
browsing=$!
shown() { cat "$page"; return $browsed; }

run "native${race:+, race detector}" native || status=1
wait "$browsing"
browsed=$?
run "in Chromium" shown || status=1
unsteady=()
if [ $status != 0 ] && [ -n "${AGAIN:-}" ] && again; then status=0; fi
run "wasm, under Node" wasm || status=1

passed=$(grep -c '^ *--- PASS' "$log")
failed=$(grep -c '^ *--- FAIL' "$log")
skipped=$(grep -c '^ *--- SKIP' "$log")
[ "$skipped" -gt 0 ] && grep '^ *--- SKIP' "$log"
[ "$failed" -gt 0 ] && { echo; grep '^ *--- FAIL' "$log"; }
[ ${#unsteady[@]} -gt 0 ] && printf 'unsteady, failed once and passed by itself: %s\n' "${unsteady[@]}"
[ "$passed" -gt 0 ] || { echo "no test ran"; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
