#!/usr/bin/env bash
# make demo: the whole path by itself, each step with the command that does it.
# It ends with 0 only if every step held. STORE=postgres runs it on a private
# PostgreSQL cluster instead of the embedded store.
set -euo pipefail
cd "$(dirname "$0")/.."

store=${STORE:-sqlite}
dir=$(mktemp -d)
outlet=BRANCH-01
segment=hufu-demo-$$
umask 077
export HUFU_DATA=$dir/data HUFU_HOME=$dir/$outlet HUFU_SEGMENT=$segment HUFU_LANG=${HUFU_LANG:-en}
unset HUFU_DATABASE_URL HUFU_DATABASE_URL_FILE HUFU_LISTEN HUFU_URL
pids=()

clean() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
	rm -rf "$dir" "/dev/shm/$segment" "/dev/shm/$segment.confirm"
}
trap clean EXIT
fail() { printf '\nDEMO FAILED: %s\n' "$*" >&2; [ -s "$dir/server.log" ] && tail -5 "$dir/server.log" >&2; exit 1; }
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
# try COMMAND: shows it, runs it, keeps what it printed in $out.
try() {
	printf '  $ %s\n' "$*"
	out=$("$@" 2>&1) || fail "$* ended with $?: $out"
	sed 's/^/    /' <<<"$out"
}
expect() { [ "$1" = "$2" ] || fail "$3: got \"$1\", want \"$2\""; }
field() { sed -n "s/^$1 //p" <<<"$out"; }
json() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$out" | head -1; }

step "0. The server, on the store: $store"
if [ "$store" = postgres ]; then
	go build -o "$dir/temppg" ./integration/pgtest/temppg
	mkfifo "$dir/url"
	"$dir/temppg" >"$dir/url" </dev/zero & # its input never ends; it is stopped by signal
	pids+=($!)
	read -r url <"$dir/url" || fail "PostgreSQL did not start"
	echo "$url" >"$dir/database-url"
	export HUFU_DATABASE_URL_FILE=$dir/database-url
	try bin/hufu-server migrate
fi
port=$((20000 + RANDOM % 20000))
export HUFU_URL=http://127.0.0.1:$port
bin/hufu-server serve --listen 127.0.0.1:$port 2>"$dir/server.log" &
pids+=($!)
for _ in $(seq 100); do
	grep -q msg=listening "$dir/server.log" && break
	kill -0 "${pids[-1]}" 2>/dev/null || fail "the server did not start"
	sleep 0.1
done
sed -n 's/^/    /;/listening/p' "$dir/server.log"

step "1. Enrol: the centre makes an outlet, the outlet takes its token"
try bin/hufu-server outlet add $outlet --token-file "$dir/token"
try bin/hufu enrol --token-file "$dir/token"

step "2. Negotiate: both ends agree on a key, which goes to shared memory"
try bin/hufu negotiate --json
number=$(json seckeyid) agreed=$(json fingerprint)

step "3. A C program that knows nothing of Go reads it"
cc -std=c99 -Wall -Wextra -Werror -I shm -o "$dir/reader" shm/testdata/reader.c || fail "the C reader does not compile"
try "$dir/reader" "$segment" $outlet
expect "$(field number)" "$number" "the number in shared memory"
expect "$(field fingerprint)" "$agreed" "the fingerprint in shared memory"
expect "$(field status)" 1 "the status in shared memory"

step "4. Verify: both ends prove that they hold the same"
try bin/hufu verify --json
expect "$(json state)" active "the verified key's state"
expect "$(json fingerprint)" "$agreed" "the verified key's fingerprint"

step "5. View: the history that the centre keeps"
try bin/hufu view
try bin/hufu-server key list --outlet $outlet --json
expect "$(json fingerprint)" "$agreed" "the fingerprint in the history"
expect "$(json state)" active "the state in the history"

step "6. Revoke: the key ends at both ends"
try bin/hufu revoke "$number"
try bin/hufu-server key show $outlet "$number" --json
expect "$(json state)" revoked "the state in the history"
grep -q '"receipt"' <<<"$out" || fail "the outlet's receipt is not in the history"

step "7. The C program sees that the key is gone"
printf '  $ %s\n' "$dir/reader $segment $outlet $number"
out=$("$dir/reader" "$segment" $outlet "$number" 2>&1) && fail "the revoked key is still usable"
sed 's/^/    /' <<<"$out"
expect "$(field status)" 0 "the status in shared memory"
expect "$(field state)" revoked "the state in shared memory"

try bin/hufu shm destroy
printf '\nEvery step held (store: %s).\n' "$store"
