#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The kernel's own WireGuard: Debian's cloud kernel, unpacked and not installed,
# booted by qemu without acceleration, with our programs and the tools that they
# need in its initial ramdisk. No disk, no network card: namespaces and cables
# are inside. The suite of tests/netns/test_wg.sh and a node with its Control
# Panel run there. Nothing here measures time but the cap on all of it, which
# counts from the guest's start and is larger where the host is busy. A guest
# that crawls leaves out the long parts and names them. --long: 10,000 peers.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
CAP_S=200
PEERS=2000
if [ "${1:-}" = --long ] || [ "${QMESH_LONG:-}" = 1 ]; then
	PEERS=10000
	CAP_S=500
fi
# The emulator gets its share of the cores: no more than one of many.
[ "$(cut -d. -f1 /proc/loadavg)" -le $(($(nproc) * 2)) ] || CAP_S=$((CAP_S * 2))
MEMORY_MB=1024
cache=$PWD/build/kernel
build=${QMESH_BUILD:?QMESH_BUILD names the build}

skip() {
	printf 'skipped: %s\n' "$*"
	exit 77
}

for command in qemu-system-x86_64 busybox cpio depmod modprobe dpkg-deb apt-get; do
	PATH=$PATH:/sbin:/usr/sbin command -v $command >/dev/null || skip "there is no $command"
done
PATH=$PATH:/sbin:/usr/sbin
[ "$(uname -m)" = x86_64 ] || skip "the guest is an x86_64 one"
! ldd "$(command -v busybox)" >/dev/null 2>&1 || skip "busybox is not the static one"

# The name moves with each security update: asked, never written down.
find_kernel() {
	local package
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -1)
	if [ -z "$package" ]; then
		apt-get update -qq >/dev/null 2>&1
		package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -1)
	fi
	[ -n "$package" ] || return 1
	kernel=$cache/$package
	[ ! -e "$kernel/unpacked" ] || return 0
	rm -rf "$kernel.new" "$cache/deb" && mkdir -p "$cache/deb" "$kernel.new" || return 1
	if ! (cd "$cache/deb" && apt-get download "$package" >/dev/null 2>&1); then
		apt-get update -qq >/dev/null 2>&1
		(cd "$cache/deb" && apt-get download "$package" >/dev/null 2>&1) || return 1
	fi
	dpkg-deb -x "$cache"/deb/*.deb "$kernel.new" && depmod -b "$kernel.new" "$(ls "$kernel.new/lib/modules")" &&
		touch "$kernel.new/unpacked" && rm -rf "$kernel" "$cache/deb" && mv "$kernel.new" "$kernel"
}
mkdir -p "$cache"
find_kernel || skip "Debian's cloud kernel cannot be had: no network?"
release=$(ls "$kernel/lib/modules")

work=$(mktemp -d "$cache/guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# A program and the libraries that it is linked with.
give() { # program [as]
	local to=$root${2:-$1} library
	mkdir -p "${to%/*}"
	cp -L "$1" "$to" || skip "there is no $1"
	for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		[ ! -e "$root$library" ] || continue
		mkdir -p "$root${library%/*}"
		cp -L "$library" "$root$library"
	done
}

fill_root() {
	local name path module
	mkdir -p "$root"/{bin,dev,etc,modules,proc,run,sys,tmp,var,usr/bin,usr/sbin,sbin} "$root/tests"/{netns,kernel}
	ln -s /run "$root/var/run"
	give "$(command -v busybox)" /bin/busybox
	for name in bash sh ip ping nft curl jq wg wg-quick nsenter unshare awk cat chmod cp cut env grep head id ls \
		mkdir mktemp mount readlink rm sed sleep sort stat tail touch tr wc ln; do
		path=$(command -v $name) || skip "there is no $name"
		give "$path" /bin/$name
	done
	for name in qmesh qmesh-cpd qmesh-noded; do
		give "$build/bin/$name" /build/bin/$name
		strip -g "$root/build/bin/$name"
	done
	give "$build/tests/kernel/wg_suite" /build/tests/kernel/wg_suite
	cp tests/netns/lab.bash "$root/tests/netns/"
	cp tests/kernel/guest_node.bash "$root/tests/kernel/"
	cp tests/kernel/init.sh "$root/init"
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	{
		echo "export QMESH_BUILD=/build LC_ALL=C CAP_S=$CAP_S QMESH_PEERS=$PEERS"
		printf 'export ASAN_OPTIONS=%q UBSAN_OPTIONS=%q\n' "${ASAN_OPTIONS-}" "${UBSAN_OPTIONS-}"
	} >"$root/environment"
	for name in wireguard veth bridge nf_tables nft_ct; do
		modprobe -d "$kernel" -S "$release" --show-depends $name
	done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' >"$work/modules"
	while read -r module; do
		name=$(basename "$module")
		case $name in
		*.xz) xz -dc "$module" >"$root/modules/${name%.xz}" ;;
		*) cp "$module" "$root/modules/" ;;
		esac
		echo "${name%.xz}" >>"$root/modules/order"
	done <"$work/modules"
}

fill_root
(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initrd"
timeout --foreground --kill-after=5 $CAP_S qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max -smp 1 -m $MEMORY_MB \
	-nodefaults -no-user-config -display none -serial stdio -no-reboot \
	-kernel "$kernel/boot/vmlinuz-$release" -initrd "$work/initrd" \
	-append 'console=ttyS0 quiet panic=-1' </dev/null 2>&1 | sed -u 's|\r||g' | tee "$work/log"

passed=$(sed -n 's/^passed \([0-9]*\) .*/\1/p' "$work/log" | paste -sd+ | sed 's/^$/0/')
skipped=$(sed -n 's/^passed .* skipped \([0-9]*\)$/\1/p' "$work/log" | paste -sd+ | sed 's/^$/0/')
failed=$(grep -c '^not ok' "$work/log")
rc=$(sed -n 's/^GUEST-EXIT \([0-9]*\)$/\1/p' "$work/log")
if [ -z "$rc" ]; then
	echo "FAIL: the guest did not come to its end within $CAP_S s"
	rc=1
fi
[ "$rc" = 0 ] || [ "$failed" != 0 ] || failed=1
printf 'passed %d failed %d skipped %d\n' $((passed)) "$failed" $((skipped))
exit "$rc"
