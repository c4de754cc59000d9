#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make soak: every suite on every kernel, and the long forms of suites that make test runs in short. SUITE, LANE and
# KERNEL choose as for make test.
. "$(dirname "$0")/lib/all.sh"

# Suite, kernel (or host), IMPL, by how much its time is longer, the machine's memory (-: as always), and what
# tells it to be long. C is given no million requests: it needs more than five minutes for a tenth of them.
rows() {
	cat <<-'ROWS'
		all plain both 1 -
		all debug rust 1 -
		all uml-plain both 1 -
		all uml-debug rust 1 -
		all uml-small both 1 -
		model host - 1 - ENGINE_SOAK=1 ENGINE_SCHEDULES=1000000
		control plain rust 10 8G RF_MANY=1000000
		death plain both 4 - RF_DEATH=all
		death debug rust 4 - RF_DEATH=all
		left plain both 4 - RF_LEFT=all
		left debug rust 8 - RF_LEFT=all
		queues uml-plain both 4 - RF_QUEUES=all
		deadlock debug rust 4 - N=10000
		notify plain rust 10 - N=100000
		notify uml-debug rust 4 - RF_NOTIFY=all
		notify debug rust 4 - RF_NOTIFY=all
		unmodified uml-debug rust 4 - RF_UNMODIFIED=all
		unmodified debug rust 4 - RF_UNMODIFIED=all
		bounds plain both 10 - RF_BOUNDS=180
		bounds debug rust 4 - RF_BOUNDS=180
		hostile debug rust 60 - N=1000000
	ROWS
}

# wanted_on FLAVOUR: those of the suites that are asked for, or all, which run in machines and have a limit there.
wanted_on() {
	local name kind what plain debug
	while read -r name kind what plain debug _; do
		[[ $kind = vm && ( -z $only || ,$only, = *,$name,* ) ]] || continue
		[[ $(limit_on "$1" "$plain" "$debug") = - ]] || printf '%s,' "$name"
	done < <(suite_rows)
}

only=${SUITE:-} failed=()
asked_kernels
while read -r name flavour impl longer memory variables; do
	[[ -z $only || $name = all || ,$only, = *,$name,* ]] || continue
	((${#ASKED[@]} == 0)) || [[ " ${ASKED[*]} " = *" $flavour "* ]] || continue
	say "$name, $impl, $flavour: $variables"
	if [[ $name = all ]]; then
		name=$(wanted_on "$flavour")
		[[ -n $name ]] || continue
	fi
	[[ $memory != - ]] || memory=''
	lane=qemu kernel=${flavour#uml-}
	[[ $flavour != uml-* ]] || lane=uml
	# What is chosen by module or kernel leaves out what runs here.
	[[ $flavour != host ]] || impl='' lane='' kernel=''
	SUITE=$name LANE=$lane KERNEL=$kernel IMPL=$impl SUITE_TIME=$longer SUITE_MEMORY=$memory SUITE_ENV=$variables \
		"$ROOT/scripts/test.sh" </dev/null || failed+=("$name-$flavour")
done < <(rows)
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
