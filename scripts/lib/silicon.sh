# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The part of make bench that is about time: machines of User Mode Linux, which run on the processor itself. Sourced by
# bench.sh.
#
# In build/out/bench-silicon: a folder IMPL-PAIR of each machine whose rows were timed, IMPL-sampled of the one that
# perf has sampled meanwhile; "refused" in one of them, or in all's, says why there is nothing.

# Pairs of machines, one with each module, in turns; an odd number has a median.
PAIRS=7
# About how long a row is measured, in milliseconds; and with perf, which is to meet the module often enough.
ROW_TIME=300
SAMPLED_ROW_TIME=6000
# Samples a second. Each costs time, tens of microseconds where the host is a virtual machine; and it is a prime, to be
# out of step with clocks.
SAMPLE_RATE=4999

SILICON=$BUILD/out/bench-silicon

# The last of the processors that this shell may use. Interrupts mostly go to the first.
last_processor() { taskset -cp $$ | sed 's/.*[^0-9]//'; }

# silicon_machine IMPL NAME MILLISECONDS: one machine, each row of which takes about so long.
silicon_machine() {
	local impl=$1 out=$SILICON/$1-$2 time=$3
	vm_prepare "$out" uml-plain "$impl" "${SILICON_MODULES[$impl]}" 300 bench
	printf 'arg=%s\n' bench time "$time" >>"$out/initrd/rf/job"
	TC_PROCESSOR=$PROCESSOR vm_boot "$out" uml-plain 300
	if ! vm_verdict "$out"; then
		sed 's/^/  | /' "$out/output"
		exit 1
	fi
}

# silicon_sampled IMPL: one machine, while perf samples the processor. That ends when nobody has the pipe open any more:
# at the latest with this shell.
silicon_sampled() {
	local impl=$1 name=$1-sampled work=$SILICON/perf-$1 perf fd
	rm -rf "$work"
	mkdir "$work"
	mkfifo "$work/pipe"
	exec {fd}<>"$work/pipe"
	HELD[$name]=$fd
	(let_go; tc_root perf record -q -C "$PROCESSOR" -e cpu-clock -F "$SAMPLE_RATE" -k CLOCK_MONOTONIC \
		-m 1024 -o "$work/data" -- \
		"$BIN/bench-report" wait "$work/moments" "$work/pipe") >"$work/log" 2>&1 &
	perf=$!
	while [[ ! -s $work/moments ]] && kill -0 "$perf" 2>/dev/null; do
		sleep 0.1
	done
	[[ ! -s $work/moments ]] || silicon_machine "$impl" sampled "$SAMPLED_ROW_TIME"
	exec {fd}>&-
	unset "HELD[$name]"
	if wait "$perf" && tc_root perf script -i "$work/data" --ns -F time,ip >"$work/samples" 2>>"$work/log"; then
		echo "$SAMPLE_RATE" >"$work/rate"
		mv -t "$SILICON/$name" "$work"/{moments,samples,rate}
	else
		mkdir -p "$SILICON/$name"
		echo "perf: $(grep -v '^ *$\|^Error:$' "$work/log" | head -n 1)" >"$SILICON/$name/refused"
	fi
	remove_tree "$work"
}

# silicon IMPL...: all machines of these modules.
silicon() {
	local impl pair why
	local -A SILICON_MODULES=()
	local PROCESSOR
	rm -rf "$SILICON"
	mkdir -p "$SILICON"
	PROCESSOR=$(last_processor)
	if ! why=$("${SUDO[@]}" taskset -c "$PROCESSOR" chrt -f 1 true 2>&1); then
		echo "$why" >"$SILICON/refused"
		return
	fi
	kernel uml-plain
	for impl; do
		module "$impl" uml-plain
		SILICON_MODULES[$impl]=$MODULE
	done
	for ((pair = 1; pair <= PAIRS; pair++)); do
		for impl; do
			silicon_machine "$impl" "$pair" "$ROW_TIME"
		done
	done
	for impl; do
		silicon_sampled "$impl"
	done
}
