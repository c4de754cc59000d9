#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make test: everything CI runs. SUITE=name[,name], IMPL=rust|c|both, LANE=qemu|uml, KERNEL=plain|debug|small choose a
# part, CASE=part[,part] the cases of a suite with such a part in their names. SEED and N are for suites that choose at
# random: where from, and how much. Without LANE and KERNEL a suite runs where scripts/suites says.
# For make soak: SUITE_ENV="NAME=VALUE ..." is given to the suites, SUITE_TIME=N multiplies the bounds of time, and
# SUITE_MEMORY=8G is what their machines have.
. "$(dirname "$0")/lib/all.sh"

SUITE=${SUITE:-} CASE=${CASE:-} IMPL=${IMPL:-} SUITE_ENV=${SUITE_ENV:-} SUITE_TIME=${SUITE_TIME:-1}
case ${IMPL:-both} in rust | c | both) ;; *) die "IMPL=$IMPL: rust, c or both" ;; esac
N=${N:-} SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
[[ $N$SEED =~ ^[0-9]+$ ]] || die "N=$N SEED=$SEED: numbers"
[[ -z $CASE || -n $SUITE ]] || die "CASE=$CASE: of which SUITE?"

# The kernels that were asked for: none if scripts/suites is to say it.
asked_kernels

# wanted NAME: whether the suite is among those asked for, if any were.
wanted() { [[ -z $SUITE || ,$SUITE, = *,$1,* ]]; }

# machines_at_once FLAVOUR: how many run at the same time. Caller and daemon mostly wait for each other, so that one
# machine of QEMU keeps little more than one processor busy; User Mode Linux has but one, and sleeps a third of the
# time.
machines_at_once() {
	if [[ -n ${RUST_FUSE_MACHINES:-} ]]; then
		echo "$RUST_FUSE_MACHINES"
	elif [[ $1 = uml-* ]]; then
		echo $((JOBS + 1))
	else
		echo $((JOBS > 1 ? 2 : 1))
	fi
}

# What is to be run: lines NAME IMPL LIMIT CASES OPTIONS; all on one kernel at a time.
TODO=()
declare -A MODULES

# Each trace that the run in folder OUT has recorded must be one that the engine can follow.
replay_traces() {
	local out=$1 trace
	: >"$out/replay"
	for trace in "$out"/files/trace/*; do
		# Without any this is the pattern itself, which is rejected.
		if tc "$BIN/replay" "$trace" >>"$out/replay" 2>&1; then
			printf 'pass\treplay %s\t\n' "${trace##*/}"
		else
			printf 'fail\treplay %s\t%s\n' "${trace##*/}" "$(tail -n 1 "$out/replay")"
		fi
	done
}

# Runs suite NAME in a machine: IMPL LIMIT CASES OPTIONS, on kernel FLAVOUR; CASES is - for all. In a shell of its own.
vm_suite() {
	local flavour=$1 name=$2 impl=$3 limit=$(($4 * SUITE_TIME)) cases=${5#-} options=$6
	local append='' out key='' start=$SECONDS variable
	trap 'end_child; exit 130' INT TERM
	out=$(out_of "$name" "$impl" "$flavour")
	# Not fewer than ten a second.
	[[ ,$options, != *,seed,* || -z $N ]] || limit=$((limit + N / 10))
	vm_prepare "$out" "$flavour" "$impl" "${MODULES[$impl]}" "$limit" "suite-$name"
	vm_more "$out" "$options"
	for variable in "suite-$name" ${CASE//,/ } ${cases//,/ }; do
		printf 'arg=%s\n' "$variable" >>"$out/initrd/rf/job"
	done
	for variable in $SUITE_ENV; do
		printf 'env=%s\n' "$variable" >>"$out/initrd/rf/job"
	done
	((SUITE_TIME == 1)) || echo "env=RF_PATIENCE=$SUITE_TIME" >>"$out/initrd/rf/job"
	if [[ ,$options, = *,seed,* ]]; then
		echo "env=SEED=$SEED" >>"$out/initrd/rf/job"
		[[ -z $N ]] || echo "env=N=$N" >>"$out/initrd/rf/job"
	fi
	# A part of a suite has run as a whole on User Mode Linux, where that takes seconds.
	if [[ ,$options, = *,kmemleak,* && $flavour = *debug && -z $cases ]]; then
		echo kmemleak=1 >>"$out/initrd/rf/job"
		append=kmemleak=on
	fi
	[[ ,$options, != *,blkdev,* ]] || append+=' bdev_allow_write_mounted=1'
	if [[ $impl = c && $IMPL != c && -z $CASE && ,$options, != *,fresh,* ]]; then
		key=$(oracle_key "$out" "$flavour" "$limit" "$append")
		! oracle_recall "$name-$flavour" "$key" "$out" || return 0
	fi
	vm_boot "$out" "$flavour" "$limit" "$append"
	touch "$out/output"
	awk -f "$ROOT/scripts/lib/ktap.awk" "$out/output" >"$out/results"
	failed_notes "$out/output" >"$out/reasons"
	if ! vm_verdict "$out" >>"$out/reasons"; then
		# A failed suite's own exit code says nothing new; anything else is a failure by itself.
		if ! grep -q ^fail "$out/results" || ! grep -q '^done: ' "$out/verdict" ||
			grep '^fail: ' "$out/verdict" | grep -qv '^fail: run: exit code'; then
			printf 'fail\tmachine\tsee below\n' >>"$out/results"
		fi
		key=
	fi
	# Whoever asks for some cases, or has a kernel without traces, need not have one.
	if [[ $impl = rust && ,$options, = *,replay,* && ( -z $CASE$cases || -e $out/files/trace ) ]] &&
		! grep -q "^skip.*${LACKING}CONFIG_EVENT_TRACING" "$out/results"; then
		replay_traces "$out" >>"$out/results"
	fi
	! grep -q ^fail "$out/results" || key=
	echo $((SECONDS - start)) >"$out/seconds"
	[[ -z $key ]] || oracle_keep "$name-$flavour" "$key" "$out"
}

# Accounts for the machines that have ended since.
report_ended() {
	local flavour=$1 index name impl out
	for index in "${!TODO[@]}"; do
		read -r name impl _ <<<"${TODO[index]}"
		out=$(out_of "$name" "$impl" "$flavour")
		[[ -e $out/seconds ]] || continue
		account "$name, $impl, $flavour$(cat "$out/kept" 2>/dev/null || true)" "$out/results" \
			"$(<"$out/seconds")"
		cat "$out/reasons"
		RAN[$name-$impl-$flavour]=1
		unset "TODO[index]"
	done
}

# Runs all of TODO on kernel FLAVOUR.
run_machines() {
	local flavour=$1 line name impl limit cases options running=0 most
	most=$(machines_at_once "$flavour")
	for line in "${TODO[@]}"; do
		read -r name impl _ <<<"$line"
		own "$name-$impl-$flavour"
		rm -rf "$(out_of "$name" "$impl" "$flavour")"
	done
	for line in "${TODO[@]}"; do
		if ((running >= most)); then
			wait -n || true
			running=$((running - 1))
			report_ended "$flavour"
		fi
		read -r name impl limit cases options <<<"$line"
		vm_suite "$flavour" "$name" "$impl" "$limit" "$cases" "${options:-}" &
		running=$((running + 1))
	done
	while ((running > 0)); do
		wait -n || true
		running=$((running - 1))
		report_ended "$flavour"
	done
	for line in "${TODO[@]}"; do
		read -r name impl _ <<<"$line"
		mkdir -p "$(out_of "$name" "$impl" "$flavour")"
		printf 'fail\tmachine\tits shell ended early\n' >"$(out_of "$name" "$impl" "$flavour")/results"
		account "$name, $impl, $flavour" "$(out_of "$name" "$impl" "$flavour")/results" 0
	done
	TODO=()
}

# A suite that ran with both modules on kernel FLAVOUR: what C passes, ours may not skip; what the daemons saw must be
# the same.
compare() {
	local flavour=$1 name=$2 cases=${3#-}$CASE options=$4 start=$SECONDS c rust results
	c=$(out_of "$name" c "$flavour") rust=$(out_of "$name" rust "$flavour")
	results=$BUILD/out/$name-compared-$flavour
	: >"$results"
	# What has no results has failed already.
	[[ -e $c/results && -e $rust/results ]] || return 0
	awk -F'\t' 'NR == FNR { if ($1 == "pass") passed[$2] = 1; next }
		$1 == "skip" && passed[$2] { print "fail\t" $2 "\tskipped with our module, passes with C" }
		{ ran[$2] = 1 }
		END { for (name in passed) if (!ran[name]) print "fail\t" name "\tdid not run with our module" }' \
		"$c/results" "$rust/results" >>"$results"
	if [[ ,$options, = *,wire,* && ( -z $cases || -e $c/files/wire || -e $rust/files/wire ) ]]; then
		if tc "$BIN/wirediff" "$c/files/wire" "$rust/files/wire" \
			>"$BUILD/out/$name-wirediff-$flavour" 2>&1; then
			printf 'pass\twire\t\n' >>"$results"
		else
			printf 'fail\twire\tthe requests differ\n' >>"$results"
			head -n 40 "$BUILD/out/$name-wirediff-$flavour" | sed 's/^/  | /'
			say "  see $BUILD/out/$name-wirediff-$flavour"
		fi
	fi
	[[ ! -s $results ]] || account "$name, c and rust, $flavour" "$results" $((SECONDS - start))
}

check_suite() {
	local results=$BUILD/out/check.results start=$SECONDS
	own check
	mkdir -p "$BUILD/out"
	CHECK_RESULTS=$results "$ROOT/scripts/check.sh" || true
	[[ -s $results ]] || printf 'fail\tcheck\tdid not run\n' >"$results"
	account "check" "$results" $((SECONDS - start))
}

# A script of ours that writes a table.
self_suite() {
	local results=$BUILD/out/$1.results start=$SECONDS
	own "$1"
	mkdir -p "$BUILD/out"
	rm -f "$results"
	"$ROOT/scripts/$1.sh" "$results" || printf 'fail\t%s\tended early\n' "$1" >>"$results"
	account "$1" "$results" $((SECONDS - start))
}

# Ends the script if CASE chooses nothing in one of the suites, before anything else is done; rows is main's.
check_case() {
	local row name kind what plain debug where options impl=c flavour=${ASKED[0]:-plain} part names found
	local -A chosen=()
	[[ $IMPL != rust && ( -n $IMPL || $flavour != *debug ) ]] || impl=rust
	selftests
	for row in "${rows[@]}"; do
		read -r name kind what plain debug where options <<<"$row"
		[[ $kind = vm ]] && wanted "$name" || continue
		names=$(suite_cases "$name" "$impl" "${flavour#uml-}") || die "suite $name does not tell its cases"
		found=
		for part in ${CASE//,/ }; do
			if grep -qF -e "$part" <<<"$names"; then
				found=1
				chosen[$part]=1
			fi
		done
		[[ -n $found ]] || die "CASE=$CASE: no case of suite $name has that in its name" \
			"make cases SUITE=$name lists them"
	done
	for part in ${CASE//,/ }; do
		[[ -n ${chosen[$part]:-} ]] || die "CASE=$part: no case of suite $SUITE has that in its name" \
			"make cases SUITE=$SUITE lists them"
	done
}

# only_rest FLAVOUR WHERE: whether a suite runs on that kernel with what is left of it, WHERE from its row.
only_rest() { [[ ${#ASKED[@]} = 0 && $1 = plain && ,$2, = *,rest,* ]]; }

# part_on FLAVOUR WHERE: N if it runs one in N of its cases there.
part_on() { ((${#ASKED[@]} != 0)) || sed -n "s|.*,$1/\([0-9]*\),.*|\1|p" <<<",$2,"; }

# part_of NAME IMPL FLAVOUR N: one in N of a suite's cases, with commas; SEED says which.
part_of() {
	local names
	names=$(suite_cases "$1" "$2" "${3#uml-}") || die "suite $1 does not tell its cases"
	shuf -n "$((($(wc -l <<<"$names") + $4 - 1) / $4))" --random-source=<(yes "$SEED") <<<"$names" | paste -sd,
}

# modules_on FLAVOUR WHERE: sets MODULES_ON to the modules that a suite runs with on that kernel.
modules_on() {
	local flavour=$1 where=$2
	MODULES_ON=()
	[[ ${#ASKED[@]} != 0 || ,$where, = *,"$flavour"[,/]* ]] || only_rest "$flavour" "$where" || return 0
	# C on the debug kernels only when it was asked for: it is not what is being tested.
	if [[ $flavour = *debug && ( ${#ASKED[@]} = 0 || -z $IMPL ) ]]; then
		[[ $IMPL = c ]] || MODULES_ON=(rust)
	elif [[ -z $IMPL || $IMPL = both ]]; then
		MODULES_ON=(c rust)
	else
		MODULES_ON=("$IMPL")
	fi
}

# Runs the wanted suites on kernel FLAVOUR; rows is main's.
vm_rows() {
	local flavour=$1 impl row name kind what plain debug where options limit cases planned part both=()
	MODULES=()
	for row in "${rows[@]}"; do
		read -r name kind what plain debug where options <<<"$row"
		limit=$(limit_on "$flavour" "$plain" "$debug")
		if [[ $kind != vm || $limit = - ]] || ! wanted "$name"; then continue; fi
		modules_on "$flavour" "$where"
		part=$(part_on "$flavour" "$where")
		planned=0
		for impl in "${MODULES_ON[@]}"; do
			cases=-
			if only_rest "$flavour" "$where"; then
				cases=$(rest_of "$name" "$impl")
				[[ -n $cases ]] || continue
			elif [[ -n $part && -z $CASE ]]; then
				cases=$(part_of "$name" "$impl" "$flavour" "$part")
				say "$name, $impl, $flavour: one in $part of its cases, SEED=$SEED"
			fi
			((${#MODULES[@]} > 0)) || vm_needs "$flavour"
			vm_needs_more "${options:-}"
			if [[ -z ${MODULES[$impl]:-} ]]; then
				module "$impl" "$flavour"
				MODULES[$impl]=$MODULE
			fi
			TODO+=("$name $impl $limit $cases ${options:-}")
			planned=$((planned + 1))
			[[ ,$options, != *,seed,* ]] || say "$name, $impl, $flavour: SEED=$SEED${N:+ N=$N}"
		done
		((planned < 2)) || both+=("$name $cases ${options:-}")
	done
	((${#TODO[@]} > 0)) || return 0
	run_machines "$flavour"
	for row in "${both[@]}"; do
		read -r name cases options <<<"$row"
		compare "$flavour" "$name" "$cases" "${options:-}"
	done
}

main() {
	setup_base
	local name kind what plain debug where options flavour rows
	mapfile -t rows < <(suite_rows)
	local known=',check,' with_cases=,
	for row in "${rows[@]}"; do
		read -r name kind _ <<<"$row"
		known+="$name,"
		[[ $kind != vm ]] || with_cases+="$name,"
	done
	[[ -z $SUITE ]] || PROGRAMS=(init wirediff replay)
	for name in ${SUITE//,/ }; do
		[[ $known = *,$name,* ]] || die "there is no suite $name" "known: ${known//,/ }"
		[[ $with_cases != *,$name,* ]] || PROGRAMS+=("suite-$name")
		[[ -z $CASE || $with_cases = *,$name,* ]] || die "CASE=$CASE: suite $name runs as a whole"
	done
	[[ -z $CASE ]] || check_case

	if [[ -z $IMPL ]] && ((${#ASKED[@]} == 0)); then
		if wanted check && [[ -x $ROOT/scripts/check.sh ]]; then
			check_suite
		fi
		for row in "${rows[@]}"; do
			read -r name kind what _ <<<"$row"
			wanted "$name" || continue
			case $kind in
			host) host_suite "$name" "$what" ;;
			self) self_suite "$name" ;;
			esac
		done
	fi

	local flavours=("${FLAVOURS[@]}")
	((${#ASKED[@]} == 0)) || flavours=("${ASKED[@]}")
	for flavour in "${flavours[@]}"; do
		vm_rows "$flavour"
	done

	if [[ -z $SUITE$IMPL ]] && ((${#ASKED[@]} == 0)); then
		local start=$SECONDS
		every_case_ran "$BUILD/out/lanes.results"
		account "every case, some kernel" "$BUILD/out/lanes.results" $((SECONDS - start))
	fi
	account_close
}

main
