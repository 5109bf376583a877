#!/usr/bin/env bash
# make fuzz: executes every fuzzer of the project FUZZTIME times (default
# 300000x) and tells how often each was. A time, as in 60s, is taken too, but
# go test now and then reports its own deadline as a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${FUZZTIME:-300000x}
status=0
while IFS=: read -r file name; do
	package=./$(dirname "$file")
	if out=$(go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x "$package" 2>&1); then
		printf '%-28s %-16s %s\n' "$name" "$package" "$(sed -n 's/.*execs: \([0-9]*\).*/\1 executions/p' <<<"$out" | tail -1)"
	else
		printf '%-28s %-16s FAILED\n%s\n' "$name" "$package" "$out"
		status=1
	fi
done < <(git ls-files '*_test.go' | xargs grep -o '^func Fuzz[A-Za-z0-9_]*' | sed 's/func //')
exit $status
