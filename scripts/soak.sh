#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make soak: the long forms of suites that make test runs in short. SUITE=name chooses one, KERNEL=plain|debug too.
. "$(dirname "$0")/lib/all.sh"

# Suite, kernel (or host), IMPL, by how much its time is longer, the machine's memory (-: as always), and what
# tells it to be long. C is given no million requests: it needs more than five minutes for a tenth of them.
rows() {
	cat <<-'ROWS'
		model host - 1 - ENGINE_SOAK=1 ENGINE_SCHEDULES=1000000
		control plain rust 10 8G RF_MANY=1000000
		death plain both 4 - RF_DEATH=all
		death debug rust 4 - RF_DEATH=all
		left plain both 4 - RF_LEFT=all
		left debug rust 8 - RF_LEFT=all
		deadlock debug rust 4 - N=10000
		hostile debug rust 60 - N=1000000
	ROWS
}

only=${SUITE:-} kernel=${KERNEL:-} failed=()
while read -r name flavour impl longer memory variables; do
	[[ -z $only || ,$only, = *,$name,* ]] || continue
	[[ -z $kernel || $kernel = "$flavour" ]] || continue
	say "$name, $impl, $flavour: $variables"
	# What is chosen by module or kernel leaves out what runs here.
	[[ $flavour != host ]] || impl='' flavour=''
	[[ $memory != - ]] || memory=''
	SUITE=$name KERNEL=$flavour IMPL=$impl SUITE_TIME=$longer SUITE_MEMORY=$memory SUITE_ENV=$variables "$ROOT/scripts/test.sh" </dev/null ||
		failed+=("$name${flavour:+-$flavour}")
done < <(rows)
((${#failed[@]} == 0)) || die "failed: ${failed[*]}"
