#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make bench: guest instructions per operation, C and ours, from the same kernel. Every row is measured in five
# machines that differ in QEMU's seed; median and range are shown. build/bench.json has all of them.
#
# QEMU counts instructions exactly (icount), the clock runs with them, and everything random is fixed: two runs
# with one seed are equal. The processor has no fast string copies, for those count one instruction per byte.
. "$(dirname "$0")/lib/all.sh"

SEEDS='1 2 3 4 5'
CPU=max,-erms,-fsrm,-fzrm,-fsrs,-fsrc,-rdrand,-rdseed
impls='c rust'
[[ -z ${IMPL:-} || $IMPL = both ]] || impls=$IMPL

bench_one() {
	local impl=$1 seed=$2 out=$BUILD/out/bench-$1-$2
	module "$impl" plain
	vm_prepare "$out" plain "$impl" "$MODULE" 300
	echo arg=bench >>"$out/initrd/rf/job"
	vm_boot "$out" plain 300 'nokaslr norandmaps random.trust_cpu=off' -smp 1 -accel tcg -cpu "$CPU" \
		-icount shift=0,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm -seed "$seed"
	if ! vm_verdict "$out"; then
		sed 's/^/  | /' "$out/output"
		exit 1
	fi
	sed -n "s/^row /$impl $seed /p" "$out/output" >>"$BUILD/bench.rows"
}

setup_base
vm_needs plain init bench
: >"$BUILD/bench.rows"
for seed in $SEEDS; do
	for impl in $impls; do
		bench_one "$impl" "$seed"
	done
done

awk -v json="$BUILD/bench.json" -v seeds="$SEEDS" '
function median(key, n,	i, j, t, v) {
	for (i = 1; i <= n; i++) v[i] = value[key, i]
	for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
	low = v[1]; high = v[n]
	return v[int((n + 1) / 2)]
}
function commas(text) { gsub(/ /, ", ", text); return text }
function list(key, n,	i, s) { for (i = 1; i <= n; i++) s = s (i > 1 ? ", " : "") value[key, i]; return s }
{
	key = $1 SUBSEP $3
	n[key]++
	value[key, n[key]] = $4 / 1000
	requests[key] = $5 / 1000
	switches[key] = switches[key] (n[key] > 1 ? " " : "") $6 / 1000
	if (!($3 in known)) { known[$3] = 1; order[++rows] = $3 }
}
END {
	printf "Instructions per operation: median of %d seeds (range), requests, context switches per seed\n", split(seeds, ignored, " ")
	printf "%-16s %26s %26s %8s %8s\n", "", "C", "ours", "ours/C", "ours/floor"
	printf "{\n  \"unit\": \"guest instructions per operation\",\n  \"seeds\": [%s],\n  \"rows\": [\n", commas(seeds) > json
	floor = 0
	for (r = 1; r <= rows; r++) {
		name = order[r]
		split("", m); split("", text)
		printf "    {\"name\": \"%s\"", name > json
		for (i = split("c rust", impls, " "); i >= 1; i--) {
			impl = impls[i]; key = impl SUBSEP name
			if (!(key in n)) { text[impl] = "-"; continue }
			m[impl] = median(key, n[key])
			text[impl] = sprintf("%d (%d-%d)", m[impl], low, high)
			printf ", \"%s\": {\"median\": %s, \"all\": [%s], \"requests\": %s, \"switches\": [%s]}", \
				impl, m[impl], list(key, n[key]), requests[key], commas(switches[key]) > json
		}
		if (name == "pipe-ping-pong") floor = m["rust"] ? m["rust"] : m["c"]
		ratio = m["c"] && m["rust"] ? sprintf("%.3f", m["rust"] / m["c"]) : "-"
		above = m["rust"] && floor ? sprintf("%.3f", m["rust"] / floor) : "-"
		if (ratio != "-") printf ", \"ratio\": %s", ratio > json
		printf "}%s\n", r < rows ? "," : "" > json
		printf "%-16s %26s %26s %8s %8s\n", name, text["c"], text["rust"], ratio, above
		if (switches["c", name] != switches["rust", name] && m["c"] && m["rust"])
			printf "%-16s context switches differ: C %s; ours %s\n", "", switches["c", name], switches["rust", name]
	}
	printf "  ]\n}\n" > json
}' "$BUILD/bench.rows" || die "the table could not be made" "rows: $BUILD/bench.rows"
say "took $(clock $((SECONDS - START)))"
