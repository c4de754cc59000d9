# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Which kernels a suite runs on in make test, and whether together they leave nothing out.

# The kernels of make test: what ran on User Mode Linux decides what is left for QEMU.
FLAVOURS=(uml-plain plain uml-debug debug)

# A case that a kernel has no facility for says so with these words (ktap::LACKING).
LACKING='SKIP this kernel has no '

out_of() { echo "$BUILD/out/$1-$2-$3"; }

# cases_of lacking|judged RESULTS: the cases that the kernel of a run has no facility for, or those that have a result.
cases_of() {
	awk -F'\t' -v which="$1" -v lacking="$LACKING" '
		(index($3, lacking) == 1) == (which == "lacking") { sub(/^[^.]*[.]/, "", $2); print $2 }' "$2"
}

# rest_of NAME IMPL: the cases of a suite that User Mode Linux has no facility for, with commas.
rest_of() {
	local results
	results=$(out_of "$1" "$2" uml-plain)/results
	[[ ! -e $results ]] || cases_of lacking "$results" | paste -sd,
}

# limit_on FLAVOUR PLAIN DEBUG: which of a row's limits is that of a kernel; - where the suite cannot run.
limit_on() { [[ $1 = *debug ]] && echo "$3" || echo "$2"; }

# What this run has results of: NAME-IMPL-FLAVOUR.
declare -A RAN=()

# every_case_ran RESULTS: after a whole run. Each case of each suite in machines, with each module that it is for, has a
# result on some kernel, and not only that the kernel lacks something.
every_case_ran() {
	local results=$1 name kind what plain debug where options impl kernel names all flavour ran missing
	: >"$results"
	while read -r name kind what plain debug where options; do
		[[ $kind = vm ]] || continue
		for impl in c rust; do
			all=
			# C runs where it is not under test only to be compared with.
			for kernel in plain debug; do
				[[ ${!kernel} != - && ( $impl = rust || $kernel = plain ) ]] || continue
				names=$(suite_cases "$name" "$impl" "$kernel" </dev/null) || names=
				[[ -n $names ]] ||
					printf 'fail\t%s, %s\tdoes not tell its cases\n' "$name" "$impl" >>"$results"
				all+=$names$'\n'
			done
			[[ -n $all ]] || continue
			ran=
			for flavour in "${FLAVOURS[@]}"; do
				[[ -n ${RAN[$name-$impl-$flavour]:-} ]] || continue
				ran+=$(cases_of judged "$(out_of "$name" "$impl" "$flavour")/results")$'\n'
			done
			missing=$(sort -u <<<"$all" | sed '/^$/d' |
				grep -vxFf <(sort -u <<<"$ran" | sed '/^$/d') | paste -sd' ') || true
			if [[ -n $missing ]]; then
				printf 'fail\t%s, %s\tran on no kernel: %s\n' "$name" "$impl" "$missing" >>"$results"
			else
				printf 'pass\t%s, %s\t\n' "$name" "$impl" >>"$results"
			fi
		done
	done < <(suite_rows)
}
