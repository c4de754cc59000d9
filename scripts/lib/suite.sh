# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Counting results: tables with lines RESULT <tab> NAME <tab> REASON, summed up over suites.

PASSED=0 FAILED=0 SKIPPED=0
BROKEN=()

# Sets ASKED to the kernels that LANE=qemu|uml and KERNEL=plain|debug|small ask for; none if neither is set.
asked_kernels() {
	local kernel
	ASKED=()
	[[ -n ${LANE:-}${KERNEL:-} ]] || return 0
	case ${LANE:-qemu}-${KERNEL:-plain} in
	qemu-plain | qemu-debug | uml-plain | uml-debug | uml-small) ;;
	*) die "LANE=${LANE:-} KERNEL=${KERNEL:-}: qemu or uml; plain or debug, and small for uml" ;;
	esac
	for kernel in ${KERNEL:-plain debug}; do
		[[ ${LANE:-qemu} = qemu ]] || kernel=uml-$kernel
		ASKED+=("$kernel")
	done
	unset KERNEL
}

suite_rows() { sed 's/#.*//; /^[[:space:]]*$/d' "$ROOT/scripts/suites"; }

# suite_cases NAME IMPL FLAVOUR: the names of the cases of a suite that runs in machines, from its program in BIN, which
# tells them without a machine.
suite_cases() {
	local variables
	read -ra variables <<<"${SUITE_ENV:-}"
	# How many cases there are may depend on all of this.
	variables+=("RF_IMPL=$2" "RF_KERNEL=$3" "SEED=${SEED:-0}")
	[[ -z ${N:-} ]] || variables+=("N=$N")
	tc env "${variables[@]}" "$BIN/suite-$1" --list | grep -v '^#'
}

# account NAME RESULTS SECONDS: adds a table to the sum, and shows what failed.
account() {
	local name=$1 results=$2 seconds=$3 passed failed skipped
	passed=$(grep -c ^pass "$results" || true)
	failed=$(grep -c ^fail "$results" || true)
	skipped=$(grep -cE '^(skip|xfail)' "$results" || true)
	PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
	printf '%-26s %4d passed, %d failed, %d skipped  (%s)\n' \
		"$name" "$passed" "$failed" "$skipped" "$(clock "$seconds")"
	if ((failed > 0)); then
		BROKEN+=("$name")
		awk -F'\t' '$1 == "fail" { print "  FAILED " $2 ($3 == "" ? "" : ": " $3) }' "$results"
	fi
}

# failed_notes OUTPUT: what KTAP says of its first failed tests, the end of each.
failed_notes() {
	awk '/^# time: / { next }
		/^# / { note[n++] = $0; next }
		/^not ok / && shown++ < 3 {
			sub(/^not ok [0-9]+ /, "")
			print "  " $0
			for (i = n > 12 ? n - 12 : 0; i < n; i++) print "  | " substr(note[i], 3)
		}
		{ n = 0 }' "$1"
}

# The last lines of a run. The very last one is read by machines.
account_close() {
	((${#BROKEN[@]} == 0)) || { say "failed:"; printf '  %s\n' "${BROKEN[@]}"; }
	say "took $(clock $((SECONDS - START)))"
	((PASSED + FAILED + SKIPPED > 0)) || die "no test was run"
	say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
	((FAILED == 0))
}

# host_suite NAME CRATE[,CRATE]: runs cargo test for crates of selftests/ and reads its lines.
host_suite() {
	local name=$1 crate log=$LOGS/suite-$1.log results=$BUILD/out/$1.results start=$SECONDS rc=0 variables
	read -ra variables <<<"${SUITE_ENV:-}"
	own "$name"
	mkdir -p "$BUILD/out"
	# The tests compare with the kernel's own headers; those of the toolchain root are older.
	kernel_source
	cargo_lock
	: >"$log"
	for crate in ${2//,/ }; do
		tc env "KSRC=$SOURCE" "${variables[@]}" cargo test --manifest-path "$ROOT/selftests/$crate/Cargo.toml" \
			"${CARGO_OURS[@]}" >>"$log" 2>&1 </dev/null || rc=$?
	done
	cache_unlock
	sed -nE 's/^test (.*) \.\.\. ok$/pass\t\1\t/p
		s/^test (.*) \.\.\. FAILED$/fail\t\1\t/p
		s/^test (.*) \.\.\. ignored(.*)$/skip\t\1\t\2/p' "$log" >"$results"
	if { ((rc != 0)) && ! grep -q ^fail "$results"; } || [[ ! -s $results ]]; then
		printf 'fail\tcargo test\tsee below\n' >>"$results"
	fi
	account "$name, host" "$results" $((SECONDS - start))
	if grep -q ^fail "$results"; then
		log_extract "$log"
		say "  see $log"
	fi
}
