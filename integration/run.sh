#!/usr/bin/env bash
# make run: the server on the embedded store, with an outlet for the terminal,
# one for the page, an operator for the console, and a few outlets that have a
# history and come and go. What it makes stands in ./run and is found again the
# next time.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$PWD/run
outlet=BRANCH-01 web=WEB-01 operator=OPS
umask 077
mkdir -p "$dir"
export HUFU_DATA="$dir/data" HUFU_URL="${HUFU_URL:-http://127.0.0.1:8470}"
segment=${HUFU_SEGMENT:-hufu-run}
pids=()

clean() {
	trap '' INT TERM
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -f /dev/shm/"$segment"-SHOP-*
}
trap clean EXIT
trap 'exit 0' INT TERM

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
zh*)
	preparing='正在准备演示网点：它们真实地协商密钥' title='服务器正在运行；按 Ctrl-C 停止。' console='控制台，以管理员 OPS 打开：'
	open='协商页面，以网点 WEB-01 打开：' log='日志：run/server.log' type='或在另一个终端中输入：' menu='菜单：0-退出 1-协商 2-校验 3-注销 4-查看'
	;;
*)
	preparing='Preparing a few outlets, by negotiating' title='The server runs until Ctrl-C.' console='The console, as the operator OPS:'
	open='A negotiation to watch, as the outlet WEB-01:' log='Its log: run/server.log' type='Or in another terminal, type:' menu='the menu: 0 exit, 1 negotiate, 2 verify, 3 revoke, 4 view'
	;;
esac

# enrol WHAT ID: hands out a token, unless it has been.
enrol() {
	[ -s "$dir/$2.token" ] && return
	rm -f "$dir/$2.token"
	out=$(bin/hufu-server "$1" add "$2" --token-file "$dir/$2.token" 2>&1) || { echo "$out" >&2; exit 1; }
}

# as ID COMMAND: runs hufu on the machine of a demo outlet.
as() {
	local id=$1
	shift
	HUFU_HOME="$dir/$id" HUFU_SEGMENT="$segment-$id" bin/hufu "$@" >>"$dir/$id.log" 2>&1
}

# past ID KEYS: gives a demo outlet as many keys.
past() {
	enrol outlet "$1"
	[ -d "$dir/$1" ] || as "$1" enrol --token-file "$dir/$1.token"
	for _ in $(seq "$2"); do as "$1" negotiate; done
}

enrol outlet $outlet
enrol outlet $web
enrol operator $operator

bin/hufu-server serve 2>"$dir/server.log" &
server=$!
pids+=($server)
for _ in $(seq 600); do
	grep -q msg=listening "$dir/server.log" && break
	kill -0 $server 2>/dev/null || { cat "$dir/server.log" >&2; exit 1; }
	sleep 0.1
done

if [ ! -d "$dir/SHOP-03" ]; then
	echo "$preparing ..."
	enrol outlet SHOP-04 # and nobody has used its token yet
	past SHOP-01 1
	past SHOP-02 2 & # every key after the first takes its place after five seconds
	second=$!
	past SHOP-03 3
	as SHOP-03 revoke 2 --reason 2
	wait $second
fi
for id in SHOP-01 SHOP-02; do
	HUFU_HOME="$dir/$id" HUFU_SEGMENT="$segment-$id" HUFU_RUN="$dir/$id" bin/hufu agent >>"$dir/$id.log" 2>&1 &
	pids+=($!)
done

# The token goes in the fragment, which no request carries.
cat <<END

$title $log

$console

  $HUFU_URL/#$(cat "$dir/$operator.token")

$open

  $HUFU_URL/#$(cat "$dir/$web.token")

$type

  cd $PWD
  export HUFU_HOME=run/$outlet HUFU_SEGMENT=$segment
  bin/hufu enrol --token-file run/$outlet.token
  bin/hufu negotiate
  cc -std=c99 -I shm -o run/reader shm/testdata/reader.c && run/reader $segment $outlet
  bin/hufu          # $menu

END
wait $server || { tail -5 "$dir/server.log" >&2; exit 1; }
