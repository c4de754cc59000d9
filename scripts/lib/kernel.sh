# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The kernel: Debian's source of 7.3 (or the user's own tree, KSRC=), built plain and debug.

SOURCE_PACKAGE=linux-source-7.3
SOURCE_PREFERRED=7.3.4

source_fill() {
	step "kernel source" kernel-source 0 source_fetch "$1"
}

source_fetch() {
	local dir=$1 version
	# apt's state stays out of the root, which is not to change once it is made.
	cat >"$dir/apt.conf" <<-END
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		APT::Sandbox::User "root";
	END
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	grep -h '^deb .* trixie main' "$TOOLCHAIN/root/etc/apt/sources.list" | head -n 1 |
		sed 's/ trixie / trixie-backports /' >"$dir/sources.list"
	tc env APT_CONFIG="$dir/apt.conf" apt-get update
	version=$(tc env APT_CONFIG="$dir/apt.conf" apt-cache madison "$SOURCE_PACKAGE" | awk -F' *[|] *' '{ print $2 }' |
		sort -rV | awk -v p="$SOURCE_PREFERRED" '{ if (index($0, p "-") == 1) { print; found = 1; exit } all[NR] = $0 } END { if (!found) print all[1] }')
	if [[ $version != 7.3.* ]]; then
		die "trixie-backports has no $SOURCE_PACKAGE any more (found: ${version:-nothing})" \
			"set KSRC= to a clean tree of Linux 7.3.x of your own and run the command again"
	fi
	(cd "$dir" && tc bash -c 'cd "$0" && APT_CONFIG=$0/apt.conf apt-get download "$1"' "$dir" "$SOURCE_PACKAGE=$version")
	tc bash -euc 'cd "$0"; dpkg-deb -x linux-source-*.deb deb; mkdir tree; tar -C tree --strip-components=1 -xJf deb/usr/src/linux-source-*.tar.xz' "$dir"
	rm -rf "$dir"/{lists,cache,deb,apt.conf,sources.list} "$dir"/*.deb
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
		SOURCE_ID="$SOURCE $version $(cd "$SOURCE" && find . -path ./.git -prune -o -type f -printf '%p %s %T@\n' | sort | hash_of)"
		return
	fi
	cache_entry source "$( (echo 1; echo "$SOURCE_PACKAGE $SOURCE_PREFERRED") | hash_of)" source_fill
	SOURCE=$ENTRY/tree
	SOURCE_ID=$(<"$ENTRY/version")
}

# The configuration of a flavour, as one fragment on allnoconfig.
kernel_fragment() {
	local plain=$ROOT/scripts/kernel/plain.config
	case $1 in
	plain) cat "$plain" ;;
	# Inlined helpers carry no KASAN checks.
	debug) grep -v CONFIG_RUST_INLINE_HELPERS "$plain"; cat "$ROOT/scripts/kernel/debug.config" ;;
	*) die "there is no kernel $1: plain or debug" ;;
	esac
}

kernel_configure() {
	local out=$1 fragment=$2 missing
	tc make -C "$SOURCE" LLVM=1 O="$out" KCONFIG_ALLCONFIG="$fragment" allnoconfig
	# allnoconfig drops what lacks a dependency without a word.
	missing=$(grep '^CONFIG_' "$fragment" | grep -vxFf "$out/.config" || true)
	[[ -z $missing ]] || { printf 'error: not in the resulting .config:\n%s\n' "$missing"; return 1; }
}

kernel_fill() {
	local dir=$1 flavour=$2 lines=2110
	[[ $flavour = plain ]] || lines=2150
	kernel_fragment "$flavour" >"$dir/fragment"
	mkdir "$dir/build"
	step "$flavour kernel: configuration" "kernel-$flavour-config" 0 kernel_configure "$dir/build" "$dir/fragment"
	step "$flavour kernel" "kernel-$flavour" "$lines" \
		tc make -C "$SOURCE" LLVM=1 O="$dir/build" KBUILD_BUILD_USER=rust_fuse KBUILD_BUILD_HOST=localhost -j$((JOBS + 1)) bzImage modules
	# Modules are built against the place that the tree has in the end.
	sed -i "s|^export KBUILD_OUTPUT = .*|export KBUILD_OUTPUT = $ENTRY/build|" "$dir/build/Makefile"
}

# kernel FLAVOUR: sets KERNEL to its build folder.
kernel() {
	local key
	kernel_source
	key=$( (echo 1; echo "$SOURCE_ID"; cat "$TOOLCHAIN/versions"; kernel_fragment "$1") | hash_of)
	cache_entry kernel "$1-$key" kernel_fill "$1"
	KERNEL=$ENTRY/build
}
