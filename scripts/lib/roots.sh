# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The two Debian roots: one with compilers and QEMU to work in, one to be the guest's disk.

packages_of() { sed 's/#.*//' "$ROOT/scripts/$1.packages" | tr -s '[:space:]' '\n' | sed '/^$/d' | sort; }

# make_root DIR PACKAGES-FILE VARIANT
make_root() {
	local dir=$1 include sources options=()
	include=$(packages_of "$2" | paste -sd,)
	mapfile -t options < <(proxy_options)
	mapfile -t sources < <(mirror_lines)
	# libfuse's examples are documentation to Debian: nothing may strip /usr/share/doc.
	"${SUDO[@]}" mmdebstrap --verbose --mode=root --variant="$3" --include="$include" \
		--aptopt='APT::Install-Recommends "false"' "${options[@]}" trixie "$dir" "${sources[@]}"
}

toolchain_fill() {
	need_root "making a Debian root with mmdebstrap"
	need_network
	step "toolchain root" toolchain 2100 make_root "$1/root" toolchain apt
	TOOLCHAIN=$1
	# What compiled code depends on; the kernel's key has this instead of the whole root.
	tc bash -c 'rustc -V; clang -v 2>&1 | head -n 1; ld.lld --version; bindgen --version; gcc -dumpfullversion
		ld --version | head -n 1' >"$1/versions" ||
		die "the toolchain root does not work" "see $LOGS/toolchain.log"
}

toolchain() {
	local key
	key=$( (echo 1; packages_of toolchain) | hash_of)
	cache_entry toolchain "$key" toolchain_fill
	TOOLCHAIN=$ENTRY
}

guest_fill() {
	need_root "making a Debian root with mmdebstrap"
	need_network
	step "guest root" guest 1500 make_root "$1/root" guest minbase
	step "guest image" guest-image 0 guest_image "$1"
	remove_tree "$1/root"
}

guest_image() {
	local size
	size=$("${SUDO[@]}" du -sm "$1/root" | cut -f1)
	# The image is always used as a snapshot, so the slack costs nothing.
	tc_root mke2fs -q -t ext4 -L rust_fuse -d "$1/root" "$1/root.img" "$((size * 5 / 4 + 512))M"
	"${SUDO[@]}" chown "$(id -u):$(id -g)" "$1/root.img"
}

guest() {
	local key
	key=$( (echo 1; packages_of guest) | hash_of)
	cache_entry guest "$key" guest_fill
	GUEST=$ENTRY
}

# tc COMMAND...: runs it in the toolchain root as the calling user, in the same folder; the checkout, the
# cache and the kernel trees have the paths there that they have here. With TC_PROCESSOR all of it runs on that
# processor, before everything else that would.
tc() { tc_as "$(id -u):$(id -g)" "$(id -G | tr ' ' ,)" "$@"; }
tc_root() { tc_as 0:0 0 "$@"; }

TC_BINDS=()
tc_as() {
	local who=$1 groups=$2 dir=$PWD
	shift 2
	[[ $dir/ = "$ROOT"/* || $dir/ = "$CACHE"/* ]] || dir=$ROOT
	local name env=("CARGO_HOME=$CACHE/cargo" "CARGO_TARGET_DIR=$TARGET") pinned=()
	[[ -z ${TC_PROCESSOR:-} ]] || pinned=(taskset -c "$TC_PROCESSOR" chrt -f 1)
	# sudo passes nothing on by itself.
	for name in TERM SSL_CERT_FILE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY CI; do
		[[ -z ${!name:-} ]] || env+=("$name=${!name}")
	done
	"${SUDO[@]}" env "${env[@]}" "${pinned[@]}" \
		unshare --mount --propagation private -- \
		bash "$ROOT/scripts/lib/enter.sh" "$TOOLCHAIN/root" "$who" "$groups" "$dir" \
		"$ROOT" "$CACHE" "${TC_BINDS[@]}" -- "$@"
}

# apt_apart DIR SUITE [deb-src]: lets apt_in work with what that suite of Debian has, or with its sources too. apt's
# state stays in DIR, out of the root, which is not to change once it is made; apt_done takes it away.
apt_apart() {
	local dir=$1 line
	cat >"$dir/apt.conf" <<-END
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		APT::Sandbox::User "root";
	END
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	line=$(grep -h '^deb .* trixie main' "$TOOLCHAIN/root/etc/apt/sources.list" | head -n 1 |
		sed "s/ trixie / $2 /")
	echo "$line" >"$dir/sources.list"
	[[ -z ${3:-} ]] || echo "deb-src ${line#deb }" >>"$dir/sources.list"
	apt_in "$dir" apt-get update
}
apt_in() { (cd "$1" && tc env APT_CONFIG="$1/apt.conf" "${@:2}"); }
apt_done() { rm -rf "$1"/{lists,cache,apt.conf,sources.list}; }
