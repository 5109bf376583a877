#!/bin/sh
# make run: the server on the embedded store, with a first outlet for the
# terminal and another for the page. What it makes stands in ./run and is found
# again the next time.
set -eu
cd "$(dirname "$0")/.."

dir=$PWD/run
outlet=BRANCH-01
umask 077
mkdir -p "$dir"
export HUFU_DATA="$dir/data" HUFU_URL="${HUFU_URL:-http://127.0.0.1:8470}"

web=WEB-01
for id in $outlet $web; do
	[ -s "$dir/$id.token" ] && continue
	rm -f "$dir/$id.token"
	bin/hufu-server outlet add "$id" --token-file "$dir/$id.token"
done
# The token goes in the fragment, which no request carries.
page=$HUFU_URL/#$(cat "$dir/$web.token")

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
zh*) title='服务器正在运行；按 Ctrl-C 停止。' open='在浏览器中以网点 WEB-01 打开：' type='或在另一个终端中输入：' menu='菜单：0-退出 1-协商 2-校验 3-注销 4-查看' ;;
*) title='The server runs until Ctrl-C.' open='In a browser, as the outlet WEB-01:' type='Or in another terminal, type:' menu='the menu: 0 exit, 1 negotiate, 2 verify, 3 revoke, 4 view' ;;
esac
cat <<EOF

$title

$open

  $page

$type

  cd $PWD
  export HUFU_HOME=run/$outlet HUFU_SEGMENT=hufu-run
  bin/hufu enrol --token-file run/$outlet.token
  bin/hufu negotiate
  cc -std=c99 -I shm -o run/reader shm/testdata/reader.c && run/reader hufu-run $outlet
  bin/hufu          # $menu

EOF
exec bin/hufu-server serve
