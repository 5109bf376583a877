#!/bin/sh
# machine.sh STATE WORK: boots systemd, as process 1 of namespaces of its own, over a copy of this machine's root
# that is gone when it ends. It has no services but those that are put into it, no network but loopback, an empty
# /dev/shm, and the folder WORK as /root/work. To be run under unshare.
set -eu
state=$1
work=$2

mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$state"
mkdir "$state/upper" "$state/work" "$state/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$state/upper,workdir=$state/work" "$state/root"
cd "$state/root"
mount -t proc proc proc
mount -o bind,ro /proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=0755 tmpfs dev
mkdir dev/shm dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for device in null zero full random urandom tty; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
rm -rf etc/hufu etc/systemd/system usr/local/bin
mkdir -p etc/systemd/system usr/local/bin root/work old
mount --bind "$work" root/work
unit() { # unit NAME [LINE...]
	name=$1
	shift
	printf '%s\n' '[Unit]' "Description=$name" "$@" >"etc/systemd/system/$name"
}
for target in basic sysinit multi-user network-online; do
	unit $target.target
done
unit shutdown.target DefaultDependencies=no
# There is no journal: what a service writes goes to /var/log/NAME.service.log.
mkdir etc/systemd/system/service.d
printf '%s\n' '[Service]' 'StandardOutput=append:/var/log/%n.log' 'StandardError=append:/var/log/%n.log' >etc/systemd/system/service.d/log.conf
pivot_root . old
umount -l old
mount --make-rshared /
exec env -i container=hufu PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	SYSTEMD_UNIT_PATH=/etc/systemd/system SYSTEMD_GENERATOR_PATH=/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/none \
	/lib/systemd/systemd --system --unit=multi-user.target --show-status=no
