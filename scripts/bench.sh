#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make bench: guest instructions per operation, C and ours, on the same kernel. Every row is measured in five
# machines that differ in QEMU's seed, and counted by function in a sixth. Then time per operation, on User Mode Linux:
# see lib/silicon.sh. The table has the medians; build/bench.json has all of it.
#
# Instructions of one row by function, from the last run: scripts/bench.sh profile ROW. Time alone, in a table of its
# own: scripts/bench.sh silicon.
#
# QEMU counts instructions exactly (icount), the clock runs with them, and everything random is fixed: two runs
# with one seed are equal. The processor has no fast string copies, for those count one instruction per byte.
. "$(dirname "$0")/lib/all.sh"
. "$(dirname "$0")/lib/silicon.sh"

SEEDS='1 2 3 4 5'
CPU=max,-erms,-fsrm,-fzrm,-fsrs,-fsrc,-rdrand,-rdseed
OUT=$BUILD/out
impls='c rust'
[[ -z ${IMPL:-} || $IMPL = both ]] || impls=$IMPL

# QEMU's plugin that counts by address: a library for the toolchain root, unlike all other programs.
counter() {
	cargo_lock
	step "counter" counter 0 tc cargo rustc --manifest-path "$ROOT/selftests/Cargo.toml" --release ${CI:+--locked} \
		--package counter --lib --crate-type cdylib
	cp "$TARGET/release/libcounter.so" "$BUILD/libcounter.so"
	cache_unlock
}

# bench_one IMPL NAME SEED [QEMU-OPTION...]: one machine, in the folder bench-IMPL-NAME.
bench_one() {
	local impl=$1 out=$OUT/bench-$1-$2 seed=$3
	shift 3
	module "$impl" plain
	vm_prepare "$out" plain "$impl" "$MODULE" 300
	mkdir "$out/counts"
	echo arg=bench >>"$out/initrd/rf/job"
	vm_boot "$out" plain 300 'nokaslr norandmaps random.trust_cpu=off' -smp 1 -accel tcg -cpu "$CPU" \
		-icount shift=0,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm -seed "$seed" "$@"
	if ! vm_verdict "$out"; then
		sed 's/^/  | /' "$out/output"
		exit 1
	fi
}

setup_base
if [[ ${1:-} = profile ]]; then
	tc "$BUILD/bin/bench-report" profile "$OUT" "$2"
	exit
fi
if [[ ${1:-} = silicon ]]; then
	vm_needs uml-plain init bench
	own bench
	silicon rust c
	tc "$BIN/bench-report" silicon "$SILICON"
	say "took $(clock $((SECONDS - START)))"
	exit
fi
vm_needs plain init bench
own bench
counter
rm -rf "$OUT"/bench-*
for impl in $impls; do
	bench_one "$impl" trace 1 -plugin "$BUILD/libcounter.so,out=$OUT/bench-$impl-trace/counts"
	for seed in $SEEDS; do
		bench_one "$impl" "$seed" "$seed"
	done
done
if [[ $impls = 'c rust' ]]; then
	silicon rust c
	tc "$BIN/bench-report" table "$OUT" "$SILICON" "$BUILD/bench.json"
else
	silicon "$impls"
	grep -rH '^row ' --include=output "$OUT"/bench-*
	grep -rH . --include=refused "$SILICON" || true
fi
say "took $(clock $((SECONDS - START)))"
