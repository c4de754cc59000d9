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

# What is missing is said here, with its remedy: make would say it late, or build what no kernel loads.
[[ -n $1 ]] || die "KDIR= is empty: name the folder of a kernel build"
[[ -d $1 ]] || die "KDIR=$1: there is no such folder"
kdir=$(cd "$1" && pwd -P)
config=$kdir/include/config/auto.conf

# set_to OPTION VALUE: is that in the kernel's configuration?
set_to() { grep -qx "CONFIG_$1=$2" "$config"; }
# value_of OPTION: a string of the kernel's configuration.
value_of() { sed -n "s/^CONFIG_$1=//p" "$config" | tr -d '"'; }

[[ -f $config ]] || die "KDIR=$1 is not a configured kernel build: it has no include/config/auto.conf" \
	"a build of your own: make LLVM=1 olddefconfig && make LLVM=1"
release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null || true)
[[ $release = 7.3 || $release = 7.3[.-]* ]] ||
	die "KDIR=$1 is Linux ${release:-of unknown version}, and this module is for 7.3"
set_to RUST y || die "the kernel in KDIR=$1 has no CONFIG_RUST, without which no module can be in Rust"
! set_to FUSE_FS y || die "the kernel in KDIR=$1 has FUSE built in: build it with CONFIG_FUSE_FS=m"
set_to FS_IOMAP y || die "the kernel in KDIR=$1 has no CONFIG_FS_IOMAP, which CONFIG_FUSE_FS=m selects"
set_to FS_POSIX_ACL y || die "the kernel in KDIR=$1 has no CONFIG_FS_POSIX_ACL, which CONFIG_FUSE_FS=m selects"
! set_to UML y || die "KDIR=$1 is User Mode Linux: see kernel_make in scripts/lib/kernel.sh"
for file in Module.symvers rust/libkernel.rmeta scripts/target.json; do
	[[ -f $kdir/$file ]] || die "the kernel in KDIR=$1 is configured but not built: it has no $file"
done

llvm=() tools=(rustc bindgen)
if set_to CC_IS_CLANG y; then
	llvm=(LLVM=1)
	tools+=(clang ld.lld)
else
	# bindgen parses with clang's library, whatever compiles.
	tools+=(gcc)
fi
missing=()
for tool in "${tools[@]}"; do
	command -v "$tool" >/dev/null || missing+=("$tool")
done
((${#missing[@]} == 0)) || die \
	"the kernel in KDIR=$1 was built with ${tools[*]}, and this machine lacks: ${missing[*]}" \
	"install them in the versions that the kernel was built with, or run this where the kernel was built"
ours=$(rustc --version) theirs=$(value_of RUSTC_VERSION_TEXT)
[[ -z $theirs || $ours = "$theirs" ]] || die "the kernel in KDIR=$1 was built with $theirs, and this is $ours" \
	"rustc reads no crate that another version has made"

out=$BUILD/module/kdir
mkdir -p "$out"
"${2:-make}" -C "$kdir" "${llvm[@]}" M="$ROOT" MO="$out" modules
say "$out/fuse.ko"
