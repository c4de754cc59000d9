# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The kernel: Debian's source of 7.3 (or the user's own tree, KSRC=), built plain and debug.

SOURCE_PACKAGE=linux-source-7.3
SOURCE_PREFERRED=7.3.4

source_fill() {
	need_network
	step "kernel source" kernel-source 0 source_fetch "$1"
}

source_fetch() {
	local dir=$1 version
	apt_apart "$dir" trixie-backports
	version=$(apt_in "$dir" apt-cache madison "$SOURCE_PACKAGE" |
		awk -F' *[|] *' '{ print $2 }' | sort -rV | awk -v p="$SOURCE_PREFERRED" '
			{ if (index($0, p "-") == 1) { print; found = 1; exit } all[NR] = $0 }
			END { if (!found) print all[1] }')
	if [[ $version != 7.3.* ]]; then
		die "trixie-backports has no $SOURCE_PACKAGE any more (found: ${version:-nothing})" \
			"set KSRC= to a clean tree of Linux 7.3.x of your own and run the command again"
	fi
	apt_in "$dir" apt-get download "$SOURCE_PACKAGE=$version"
	tc bash -euc 'cd "$0"; dpkg-deb -x linux-source-*.deb deb; mkdir tree
		tar -C tree --strip-components=1 -xJf deb/usr/src/linux-source-*.tar.xz' "$dir"
	rm -rf "$dir/deb" "$dir"/*.deb
	apt_done "$dir"
	echo "$version" >"$dir/version"
}

# Sets SOURCE (the tree) and SOURCE_ID (what kernels built from it are keyed by).
kernel_source() {
	if [[ -n ${KSRC:-} ]]; then
		[[ -f $KSRC/Makefile && -d $KSRC/rust ]] || die "KSRC=$KSRC is not a kernel tree with Rust"
		[[ ! -e $KSRC/.config ]] || die "KSRC=$KSRC is not clean: run make mrproper there"
		SOURCE=$(cd "$KSRC" && pwd -P)
		TC_BINDS+=("$SOURCE")
		local version
		version=$(make -s -C "$SOURCE" kernelversion)
		[[ $version = 7.3.* ]] || die "KSRC=$KSRC is Linux $version, and this module is for 7.3"
		SOURCE_ID="$SOURCE $version $(cd "$SOURCE" &&
			find . -path ./.git -prune -o -type f -printf '%p %s %T@\n' | sort | hash_of)"
		return
	fi
	cache_entry source "$( (echo 1; echo "$SOURCE_PACKAGE $SOURCE_PREFERRED") | hash_of)" source_fill
	SOURCE=$ENTRY/tree
	SOURCE_ID=$(<"$ENTRY/version")
}

# The fragments of a flavour's configuration, on allnoconfig: of two lines for one option the later counts. A flavour
# named uml-... is User Mode Linux, which is a process of this machine; the others run in QEMU.
kernel_fragments() {
	case $1 in
	plain) echo plain ;;
	debug) echo plain debug ;;
	uml-plain) echo plain uml ;;
	uml-debug) echo plain debug uml uml-debug ;;
	uml-small) echo plain uml small ;;
	*) die "there is no kernel $1" ;;
	esac
}

kernel_fragment() {
	local name
	for name in $(kernel_fragments "$1"); do
		cat "$ROOT/scripts/kernel/$name.config"
	done | awk '/^CONFIG_/ { split($0, part, "="); set[part[1]] = $0 }
		/^# CONFIG_.* is not set$/ { delete set[$2] }
		END { for (name in set) print set[name] }' | LC_ALL=C sort
}

# Sets KERNEL_MAKE to make with what a flavour needs, for the kernel and modules alike.
kernel_make() {
	KERNEL_MAKE=(make LLVM=1)
	[[ $1 = uml-* ]] || return 0
	# By clang's default for um's code model everything would be large data, in sections that its linker script
	# does not know as data: lockdep and kmemleak look for static objects in .data and .bss. Modules may be far
	# from all others, so theirs is large. The vdso has another code model, to which the option means nothing;
	# and inb() warns in every file of a machine without ports.
	local flags='-mlarge-data-threshold=2000000000 -Wno-unused-command-line-argument'
	KERNEL_MAKE+=(ARCH=um CFLAGS_MODULE=-mlarge-data-threshold=0
		"KCFLAGS=$flags -Wno-null-pointer-arithmetic")
}

kernel_configure() {
	local out=$1 fragment=$2 missing
	tc "${KERNEL_MAKE[@]}" -C "$SOURCE" O="$out" KCONFIG_ALLCONFIG="$fragment" allnoconfig
	# allnoconfig drops what lacks a dependency without a word.
	missing=$(grep -vxFf "$out/.config" "$fragment" || true)
	[[ -z $missing ]] || { printf 'error: not in the resulting .config:\n%s\n' "$missing"; return 1; }
}

kernel_fill() {
	local dir=$1 flavour=$2 lines=2110 image=bzImage
	[[ $flavour = plain ]] || lines=2150
	[[ $flavour != uml-* ]] || lines=1500 image=linux
	kernel_fragment "$flavour" >"$dir/fragment"
	mkdir "$dir/build"
	step "$flavour kernel: configuration" "kernel-$flavour-config" 0 kernel_configure "$dir/build" "$dir/fragment"
	step "$flavour kernel" "kernel-$flavour" "$lines" \
		tc "${KERNEL_MAKE[@]}" -C "$SOURCE" O="$dir/build" -j$((JOBS + 1)) \
		KBUILD_BUILD_USER=rust_fuse KBUILD_BUILD_HOST=localhost "$image" modules
	# Modules are built against the place that the tree has in the end.
	sed -i "s|^export KBUILD_OUTPUT = .*|export KBUILD_OUTPUT = $ENTRY/build|" "$dir/build/Makefile"
}

# kernel FLAVOUR: sets KERNEL to its build folder, and KERNEL_MAKE.
kernel() {
	local key
	kernel_source
	kernel_make "$1"
	key=$( (echo 2; echo "$SOURCE_ID"; cat "$TOOLCHAIN/versions"; echo "${KERNEL_MAKE[@]}"; kernel_fragment "$1") |
		hash_of)
	cache_entry kernel "$1-$key" kernel_fill "$1"
	KERNEL=$ENTRY/build
}
