# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is built from this checkout: the module, the test programs; and libfuse's examples.

# module IMPL FLAVOUR: sets MODULE to the fuse.ko of that implementation for that kernel, which later builds leave
# alone.
module() {
	case $1 in
	c)
		MODULE=$KERNEL/fs/fuse/fuse.ko ;;
	rust)
		local out=$BUILD/module/$2
		mkdir -p "$out"
		exec {MODULE_FD}>"$out.lock"
		flock "$MODULE_FD"
		# Kernel crates are not among the dependencies that make sees: another kernel, another folder.
		if [[ $(cat "$out/.kernel" 2>/dev/null) != "$KERNEL" ]]; then
			rm -rf "$out"
			mkdir -p "$out"
			echo "$KERNEL" >"$out/.kernel"
		fi
		step "fuse.ko for the $2 kernel" "module-$2" 0 \
			tc "${KERNEL_MAKE[@]}" -C "$KERNEL" M="$ROOT" MO="$out" -j"$JOBS" modules
		[[ -f $out/fuse.ko ]] || die "$out/fuse.ko was not built"
		rm -rf "$out.new"
		mkdir "$out.new"
		cp -p "$out/fuse.ko" "$out.new"
		keep_built "module/$2"
		exec {MODULE_FD}>&-; MODULE_FD=
		MODULE=$KEPT/fuse.ko ;;
	*)
		die "there is no implementation $1: rust or c" ;;
	esac
	[[ -f $MODULE ]] || die "$MODULE was not built"
}

# Prints the command by which Kbuild has compiled the plain module, less what it emits and where.
saved_rustc() {
	sed -n 's/^savedcmd_rust\/main.o := //p' "$BUILD/module/plain/rust/.main.o.cmd" |
		sed -E 's/ ;.*//; s/ --emit=[^ ]+//g; s/ --out-dir [^ ]+//g'
}

# as_kbuild COMMAND...: runs it in the toolchain root, in the folder and with the variables that Kbuild gave rustc.
as_kbuild() {
	local out=$BUILD/module/plain
	# shellcheck disable=SC2016
	tc bash -c 'cd "$0" && exec "$@"' "$out" env RUSTC_BOOTSTRAP=1 \
		"RUST_FUSE_BINDINGS=$out/rust/bindings/bindings_generated.rs" \
		"RUST_FUSE_HELPERS=$out/rust/bindings/bindings_helpers_generated.rs" "$@"
}

# Takes the lock under which cargo works in the cache. It tells a package of ours from the same one in another checkout
# by the age of its files only, and would take what it has made there for fresh: with another checkout, our packages are
# made anew, and those of others, which take the time, are not.
cargo_lock() {
	local name
	cache_lock cargo
	[[ $(cat "$TARGET/checkout" 2>/dev/null) != "$ROOT" ]] || return 0
	sed -n 's/^name = "\(.*\)"/\1/p' "$ROOT"/selftests/*/Cargo.toml "$ROOT"/selftests/*/*/Cargo.toml |
		while read -r name; do
			find "$TARGET" -maxdepth 4 -path "*/.fingerprint/$name-*" -prune -exec rm -rf {} +
		done
	echo "$ROOT" >"$TARGET/checkout"
}

# What cargo is told whenever it makes something of ours. The flags must be the same each time: with others it would
# make everything anew. The same programs come from the same sources, wherever the checkout is: C's results are kept by
# them.
CARGO_OURS=(--config "$ROOT/selftests/.cargo/config.toml"
	--config "target.x86_64-unknown-linux-gnu.rustflags=['--remap-path-prefix=$ROOT/selftests=selftests']"
	--release ${CI:+--locked})

# Test programs: cargo works in the cache, and the results are copied here under a lock.
# selftests [PACKAGE...]: all of them, or just these; once in a run, which has the same ones to its end. Sets BIN to
# their folder; build/bin leads to the latest one. With PROGRAMS only these are made: to link all suites takes longer
# than to run one of them.
BIN=
PROGRAMS=()
selftests() {
	[[ -z $BIN ]] || return 0
	local programs=(--bins)
	cargo_lock
	((${#PROGRAMS[@]} == 0)) || programs=("${PROGRAMS[@]/#/--bin=}")
	step "test programs" selftests 0 selftests_build "${programs[@]}" "${@/#/--package=}"
	keep_built bin
	BIN=$KEPT
	[[ -L $BUILD/bin ]] || rm -rf "${BUILD:?}/bin"
	ln -sfn "$(basename "$BIN")" "$BUILD/bin"
	cache_unlock
}

selftests_build() {
	local release=$TARGET/x86_64-unknown-linux-gnu/release
	# What an older version left there must not come along: cargo links anew what it made.
	find "$release" -maxdepth 1 -type f -executable -delete 2>/dev/null || true
	tc cargo build --manifest-path "$ROOT/selftests/Cargo.toml" "${CARGO_OURS[@]}" "$@"
	rm -rf "$BUILD/bin.new"
	mkdir -p "$BUILD/bin.new"
	find "$release" -maxdepth 1 -type f -executable -exec cp -pt "$BUILD/bin.new" {} +
}

EXAMPLES='hello hello_ll passthrough passthrough_ll null'
# Of libfuse 2, whose daemons have options for splice; the guest does not have that library.
EXAMPLES2='fusexmp_fh'

examples_fill() {
	step "libfuse's examples" examples 0 examples_build "$1"
}

examples_build() {
	local name doc=/usr/share/doc/libfuse3-dev/examples
	mkdir "$1/bin"
	for name in $EXAMPLES; do
		# shellcheck disable=SC2046
		tc gcc -O2 -Wall -o "$1/bin/$name" "$doc/$name.c" $(tc pkg-config fuse3 --cflags --libs)
	done
	doc=/usr/share/doc/libfuse-dev/examples
	for name in $EXAMPLES2; do
		# shellcheck disable=SC2046
		tc gcc -O2 -DHAVE_UTIMENSAT -o "$1/bin/$name" "$doc/$name.c" $(tc pkg-config fuse --cflags) \
			-l:libfuse.a -l:libulockmgr.a
	done
}

# Sets EXAMPLES_DIR to the folder with libfuse's example daemons, compiled as they come.
examples() {
	local key
	key=$( (echo "2 $EXAMPLES $EXAMPLES2"; basename "$TOOLCHAIN") | hash_of)
	cache_entry examples "$key" examples_fill
	EXAMPLES_DIR=$ENTRY/bin
}

# Folders of the kernel's own tests, below tools/testing/selftests.
KSELFTESTS='filesystems/fuse'

kselftests_fill() {
	step "the kernel's own tests" kselftests 0 kselftests_build "$1"
}

kselftests_build() {
	local dir
	mkdir "$1/bin"
	for dir in $KSELFTESTS; do
		# The guest has no libfuse 2, which one of the daemons is for.
		tc make -C "$SOURCE/tools/testing/selftests/$dir" OUTPUT="$1/bin" CC=gcc \
			VAR_LDLIBS='-static -lfuse -pthread'
	done
}

# Sets KSELFTESTS_DIR to the folder with the kernel's own tests, compiled as they come.
kselftests() {
	local key
	kernel_source
	key=$( (echo "1 $KSELFTESTS $SOURCE_ID"; basename "$TOOLCHAIN") | hash_of)
	cache_entry kselftests "$key" kselftests_fill
	KSELFTESTS_DIR=$ENTRY/bin
}

# A crate, which tests what POSIX says of files; and what it is linked with, which the toolchain root has not.
PJDFSTEST=0.2.2
PJDFSTEST_LIBRARIES='libacl1-dev libattr1-dev'

pjdfstest_fill() {
	need_network
	step "pjdfstest" pjdfstest 0 pjdfstest_build "$1"
}

pjdfstest_build() {
	local dir=$1 deb
	apt_apart "$dir" trixie
	# shellcheck disable=SC2086
	apt_in "$dir" apt-get download $PJDFSTEST_LIBRARIES
	for deb in "$dir"/*.deb; do
		tc dpkg-deb -x "$deb" "$dir/deb"
	done
	# The links to shared libraries lead nowhere here.
	find "$dir/deb" -name '*.so' -delete
	tc env LIBRARY_PATH="$dir/deb/usr/lib/x86_64-linux-gnu" CARGO_TARGET_DIR="$dir/target" \
		cargo install --root "$dir" --version "=$PJDFSTEST" --locked --no-track pjdfstest
	rm -rf "$dir/deb" "$dir/target" "$dir"/*.deb
	apt_done "$dir"
}

# Sets PJDFSTEST_DIR to the folder with the program.
pjdfstest() {
	local key
	key=$( (echo "1 $PJDFSTEST"; basename "$TOOLCHAIN") | hash_of)
	cache_entry pjdfstest "$key" pjdfstest_fill
	PJDFSTEST_DIR=$ENTRY/bin
}

# The least policy of SELinux, which the kernel's scripts make: one type that may do everything. What is added has more
# types, without which nothing would show what a label is made from: mounts have one of their own, and so has what is
# made there, by whether it is a directory.
SELINUX_TYPES='type fuse_t; type made_t; type made_dir_t; role base_r types { fuse_t made_t made_dir_t };'
SELINUX_RULES='type_transition base_t fuse_t : dir made_dir_t;
type_transition base_t fuse_t : { file lnk_file chr_file blk_file sock_file fifo_file } made_t;
allow base_t { fuse_t made_t made_dir_t } : { dir file lnk_file chr_file blk_file sock_file fifo_file filesystem } *;
allow { fuse_t made_t made_dir_t } { base_t fuse_t } : filesystem *;'
SELINUX_MOUNTS='genfscon fuse / user_u:object_r:fuse_t'

selinux_fill() {
	need_network
	step "the least policy of SELinux" selinux 0 selinux_build "$1"
}

selinux_build() {
	local dir=$1 mdp=$SOURCE/scripts/selinux/mdp
	apt_apart "$dir" trixie
	apt_in "$dir" apt-get download checkpolicy
	tc dpkg-deb -x "$dir"/checkpolicy_*.deb "$dir/deb"
	tc gcc -O2 -o "$dir/mdp" "$mdp/mdp.c" -I"$SOURCE/include" -I"$SOURCE/security/selinux/include" \
		-I"$KERNEL/include"
	tc "$dir/mdp" "$dir/policy.conf" "$dir/file_contexts"
	awk -v types="$SELINUX_TYPES" -v rules="$SELINUX_RULES" -v mounts="$SELINUX_MOUNTS" '
		/^user / { print rules }
		# The newest are not known to this checkpolicy, and none changes what mounts are asked.
		!/^policycap / { print }
		/^role base_r types/ { print types }
		END { print mounts }' "$dir/policy.conf" >"$dir/policy.more"
	mkdir "$dir/bin"
	tc "$dir/deb/usr/bin/checkpolicy" -U allow -c 33 -o "$dir/bin/policy" "$dir/policy.more"
	rm -rf "$dir"/{deb,mdp,policy.conf,policy.more,file_contexts,checkpolicy_*.deb}
	apt_done "$dir"
}

# Sets SELINUX_DIR to the folder with that policy for the kernel of the run.
selinux_policy() {
	local key
	kernel_source
	key=$( (echo "1 $SELINUX_TYPES $SELINUX_RULES $SELINUX_MOUNTS"; basename "$(dirname "$KERNEL")"
		basename "$TOOLCHAIN") | hash_of)
	cache_entry selinux "$key" selinux_fill
	SELINUX_DIR=$ENTRY/bin
}

# libfuse's own tests, from Debian's source package of the library that the guest has, and the examples that they run.
LIBFUSE_EXAMPLES='hello hello_ll hello_ll_uds invalidate_path ioctl ioctl_client notify_inval_entry notify_inval_inode
	notify_store_retrieve null passthrough passthrough_fh passthrough_ll poll poll_client printcap'
LIBFUSE_TESTS='hello readdir_inode release_unlink_race test_setattr test_syscalls test_write_cache'
# What meson would find out, of which the tests and examples want to know.
LIBFUSE_HAS='COPY_FILE_RANGE FALLOCATE FDATASYNC FORK FSTATAT OPENAT PIPE2 POSIX_FALLOCATE READLINKAT SETXATTR SPLICE
	STATX STRUCT_STAT_ST_ATIM UTIMENSAT VMSPLICE'

libfuse_fill() {
	need_network
	step "libfuse's own tests" libfuse 0 libfuse_build "$1"
}

libfuse_build() {
	local dir=$1 name flags
	apt_apart "$dir" trixie deb-src
	apt_in "$dir" apt-get source fuse3
	mv "$dir"/fuse3-*/ "$dir/tree"
	mkdir -p "$dir"/libfuse/{example,test,util}
	for name in $LIBFUSE_HAS; do
		echo "#define HAVE_$name"
	done >"$dir/fuse_config.h"
	read -ra flags < <(tc pkg-config fuse3 --cflags --libs)
	# One example wants a header of the library itself.
	flags=(-O2 -D_GNU_SOURCE -I"$dir" -idirafter "$dir/tree/include" -include fuse_config.h "${flags[@]}")
	for name in $LIBFUSE_EXAMPLES; do
		tc gcc -o "$dir/libfuse/example/$name" "$dir/tree/example/$name.c" "${flags[@]}"
	done
	# The guest need not have C++.
	tc g++ -std=c++17 -static-libstdc++ -static-libgcc -o "$dir/libfuse/example/passthrough_hp" \
		"$dir/tree/example/passthrough_hp.cc" "${flags[@]}"
	for name in $LIBFUSE_TESTS; do
		tc gcc -o "$dir/libfuse/test/$name" "$dir/tree/test/$name.c" "${flags[@]}"
	done
	cp -t "$dir/libfuse/test" "$dir"/tree/test/*.py "$dir/tree/test/pytest.ini"
	# Those of the guest, which come with the same library.
	ln -s /usr/bin/fusermount3 /usr/sbin/mount.fuse3 "$dir/libfuse/util"
	rm -rf "$dir"/{tree,fuse_config.h} "$dir"/fuse3_*
	apt_done "$dir"
}

# Sets LIBFUSE_DIR to a folder with the folder libfuse, in which everything stands as the tests want it.
libfuse_tests() {
	local key
	key=$( (echo "1 $LIBFUSE_EXAMPLES $LIBFUSE_TESTS $LIBFUSE_HAS"; basename "$TOOLCHAIN") | hash_of)
	cache_entry libfuse "$key" libfuse_fill
	LIBFUSE_DIR=$ENTRY
}

# compile_fail CASES RESULTS [NAME...]: compiles the cases of a folder, or these of them, which must fail as they say:
# scripts/compile-fail. The plain module has been built.
compile_fail() {
	local cases=$1 results=$2
	shift 2
	rm -rf "$results" "$results.work"
	mkdir -p "$results.work"
	as_kbuild "$ROOT/scripts/compile-fail" "$cases" "$results.work" "$results" "$(saved_rustc)" "$@"
}
