#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# /init of the guest: loads the modules in order, runs the suite and the node's
# test, says what came of them as "GUEST-EXIT n", powers off.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t tmpfs run /run
export PATH=/bin:/usr/bin:/sbin:/usr/sbin
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
mkdir -p /run/wireguard /tmp/suite
while read -r module; do
	busybox insmod "/modules/$module" || echo "module $module not loaded"
done </modules/order
echo "# guest: kernel $(busybox uname -r), up for $(busybox cut -d' ' -f1 /proc/uptime) s"
# shellcheck source=/dev/null
. /environment
rc=0
# How fast this guest is: rounds of nothing in a second. A busy host makes it crawl.
rounds=0
began=$(busybox date +%s)
while [ "$(busybox date +%s)" -le $((began + 1)) ]; do rounds=$((rounds + 1)); done
echo "# guest: $rounds rounds"
[ $rounds -ge 30 ] || export QMESH_BRIEF=1
unshare -n /build/tests/kernel/wg_suite kernel /tmp/suite "${QMESH_PEERS:-2000}" || rc=1
began=$(busybox cut -d. -f1 /proc/uptime)
echo "# guest: the node after $began s"
if [ "$began" -le $((CAP_S * 100 / 200)) ]; then
	bash /tests/kernel/guest_node.bash || rc=1
else
	echo "skipped: the node's test, this machine is too busy for the cap"
	echo "passed 0 failed 0 skipped 7"
fi
echo "# guest: done after $(busybox cut -d' ' -f1 /proc/uptime) s"
echo "GUEST-EXIT $rc"
busybox poweroff -f
