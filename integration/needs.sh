#!/bin/sh
# Checks that what the tests need is there. As root on Debian it installs what
# is missing; otherwise it names it in one line and fails.
set -eu

missing=
need() { # need PACKAGE TEST...
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
has() { command -v "$1" || [ -x "/usr/sbin/$1" ]; }
postgres() { has initdb || ls /usr/lib/postgresql/*/bin/initdb; }

need gcc has cc
need python3 has python3
need nodejs has node
need chromium has chromium
need postgresql-15 postgres
need groff-base has groff
need nginx has nginx
need haproxy has haproxy
need caddy has caddy
need systemd has systemd-analyze
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing:$missing" >&2
	export DEBIAN_FRONTEND=noninteractive
	# Debian starts a cluster of its own with the package; the tests start theirs.
	mkdir -p /etc/postgresql-common
	[ -e /etc/postgresql-common/createcluster.conf ] ||
		echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
	# It also starts a proxy with its package; the tests start theirs.
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
	fi
	apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends $missing >&2
	exit 0
fi
echo "the tests need:$missing (on Debian: apt-get install$missing)" >&2
exit 1
