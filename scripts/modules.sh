#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make modules: fuse.ko for the plain test kernel, or for the kernel build in $1 with this machine's tools.
. "$(dirname "$0")/lib/all.sh"

if (($# == 0)); then
	setup_base
	kernel plain
	module rust plain
	say "$BUILD/module/plain/fuse.ko"
	exit
fi
kdir=$(cd "$1" && pwd -P) || die "KDIR=$1: no such folder"
config=$kdir/include/config/auto.conf
[[ -f $config ]] || die "KDIR=$1 is not a configured kernel build (no include/config/auto.conf)"
grep -q '^CONFIG_RUST=y' "$config" || die "the kernel in KDIR=$1 was built without CONFIG_RUST"
! grep -q '^CONFIG_UML=y' "$config" || die "KDIR=$1 is User Mode Linux: see kernel_make in scripts/lib/kernel.sh"
llvm=()
! grep -q '^CONFIG_CC_IS_CLANG=y' "$config" || llvm=(LLVM=1)
out=$BUILD/module/kdir
mkdir -p "$out"
"${2:-make}" -C "$kdir" "${llvm[@]}" M="$ROOT" MO="$out" modules
say "$out/fuse.ko"
