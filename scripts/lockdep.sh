#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which suites show lockdep what no other does: lockdep.sh [SUITE...], after make test KERNEL=debug of these. Of the
# order in which locks are taken that lockdep has seen in each (/proc/lockdep_chains, kept by init), the pairs count in
# which one lock is the module's or of an object of the filesystem.
. "$(dirname "$0")/lib/all.sh"

OURS='[Ff]use|requests|FuseInode|Conn::|Chan'
suites=("$@")
if ((${#suites[@]} == 0)); then
	mapfile -t suites < <(cd "$BUILD/out" && ls -d -- *-rust-debug/files/lockdep_chains 2>/dev/null |
		sed 's/-rust-debug.*//')
fi
((${#suites[@]} > 0)) || die "no run on the debug kernel is kept: make test KERNEL=debug"
for suite in "${suites[@]}"; do
	# A chain is a line for itself and one for each lock, with its address and name; pairs follow each other in it.
	awk -v ours="$OURS" '
		/^\[/ {
			name = $2
			# Numbers tell filesystem types apart, and differ from run to run.
			gsub(/#[0-9]+/, "", name)
			if (before != "" && (before " " name) ~ ours) print before " > " name
			before = name
			next
		}
		{ before = "" }' "$BUILD/out/$suite-rust-debug/files/lockdep_chains" | sort -u | sed "s/^/$suite\t/"
done | awk -F'\t' '
	{ seen[$2] = seen[$2] " " $1; of[$1]++ }
	END {
		for (pair in seen) {
			if (split(seen[pair], by, " ") != 1) continue
			alone[by[1]]++
			list[by[1]] = list[by[1]] "\n    " pair
		}
		for (suite in of)
			printf "%s: %d pairs, %d of them no other suite shows%s\n",
				suite, of[suite], alone[suite], list[suite]
	}'
