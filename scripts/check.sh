#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make check: what can be said about the code without running it in a kernel, and the host tests.
# With CHECK_RESULTS=FILE only the former, results to that file (make test runs the host tests by itself).
# make check-quick, which is check.sh quick: of the former what takes seconds, and the lints of what has changed since
# they last passed.
. "$(dirname "$0")/lib/all.sh"

quick=${1:-}
[[ -z $quick || $quick = quick ]] || die "check.sh [quick]"
[[ -n ${CHECK_RESULTS:-} ]] || own check

results=${CHECK_RESULTS:-$BUILD/out/check.results}
mkdir -p "$(dirname "$results")"
: >"$results"

# check NAME COMMAND...: a failure shows what the command says.
check() {
	local name=$1 log=$LOGS/check-$1.log start=$SECONDS
	shift
	watched "$name" "check-$name" 0 "$@"
	if ((RC == 0)); then
		printf 'pass\t%s\t\n' "$name" >>"$results"
		say "$name: passed ($(clock $((SECONDS - start))))"
	else
		printf 'fail\t%s\tsee %s\n' "$name" "$log" >>"$results"
		say "$name: FAILED"
		head -n 60 "$log" | sed 's/^/  | /'
	fi
}

rust_files() {
	(cd "$ROOT" && git ls-files -co --exclude-standard -- '*.rs' | while read -r f; do
		[[ ! -e $f ]] || echo "$f"
	done)
}

check_format() {
	local files
	mapfile -t files < <(rust_files)
	((${#files[@]} > 0)) || die "git ls-files knows no file in $ROOT"
	tc rustfmt --check --color never --edition 2021 --config-path "$SOURCE/.rustfmt.toml" "${files[@]}"
}

# Warnings fail too: they come with a zero exit code.
without_warnings() {
	local log rc=0
	log=$(mktemp)
	"$@" 2>&1 | tee "$log" || rc=1
	! grep -aqE '^(warning|error)' "$log" || rc=1
	rm -f "$log"
	return "$rc"
}

check_clippy_module() {
	local out=$BUILD/module/clippy
	# Lints are told only when something is compiled.
	rm -rf "$out"
	mkdir -p "$out"
	without_warnings tc "${KERNEL_MAKE[@]}" -C "$KERNEL" CLIPPY=1 M="$ROOT" MO="$out" -j"$JOBS" modules
}

check_clippy_selftests() {
	tc cargo clippy --manifest-path "$ROOT/selftests/Cargo.toml" "${CARGO_OURS[@]}" --workspace --all-targets \
		-- -D warnings
}

# Is what Documentation/status.rst says the case?
check_status() { tc "$ROOT/scripts/status" "$SOURCE"; }

check_unsafe() { tc "$ROOT/scripts/unsafe-report.sh"; }

check_scripts() {
	local files
	mapfile -t files < <(cd "$ROOT" && git ls-files -co --exclude-standard -- scripts .ci |
		grep -E '\.sh$|^\.ci/run$')
	((${#files[@]} > 0)) || die "git ls-files knows no file in $ROOT"
	tc shellcheck -x -S warning -e SC1091,SC2034 "${files[@]}"
}

# What the wrappers forbid, each case with a result of its own.
check_compile_fail() { compile_fail "$ROOT/rust/compile_fail" "$BUILD/out/compile-fail.results"; }

check_tidy() { tc "$ROOT/scripts/tidy" "$ROOT" "$SOURCE"; }

# state_of PATH...: a hash of the files there, of the toolchain and the kernel, and of this script.
state_of() {
	{
		echo "$TOOLCHAIN ${KERNEL:-}"
		cd "$ROOT" && git ls-files -co --exclude-standard -- scripts/check.sh "$@" | sort |
			while read -r file; do
				[[ ! -f $file ]] || sha256sum "$file"
			done
	} | hash_of
}

# passed_before NAME PATH...: whether make check-quick may leave out the lint NAME, whose result depends on PATH.
passed_before() {
	local name=$1
	shift
	STATE=$(state_of "$@")
	[[ -n $quick && $(cat "$BUILD/lint/$name" 2>/dev/null) = "$STATE" ]] || return 1
	say "$name: passed before, and nothing has changed"
	printf 'pass\t%s\t\n' "$name" >>"$results"
}

# lint NAME COMMAND: check NAME COMMAND, to be left out next time if it passes.
lint() {
	check "$@"
	((RC == 0)) || return 0
	mkdir -p "$BUILD/lint"
	echo "$STATE" >"$BUILD/lint/$1"
}

setup_base
kernel_source
check format check_format
check unsafe check_unsafe
grep -h '^the module:' "$LOGS/check-unsafe.log" || true
check scripts check_scripts
check status check_status
check pages doc_pages
check tidy check_tidy
kernel plain
if [[ -z $quick ]]; then
	module rust plain
	check rustdoc doc_rustdoc
	check compile-fail check_compile_fail
	[[ ! -e $BUILD/out/compile-fail.results ]] || cat "$BUILD/out/compile-fail.results" >>"$results"
fi
passed_before clippy rust Kbuild || lint clippy check_clippy_module
if ! passed_before clippy-selftests rust selftests; then
	cargo_lock
	lint clippy-selftests check_clippy_selftests
	cache_unlock
fi
if [[ -n $quick ]]; then
	account check-quick "$results" $((SECONDS - START))
	account_close
	exit
fi
[[ -z ${CHECK_RESULTS:-} ]] || exit 0

account check "$results" $((SECONDS - START))
while read -r name kind what _; do
	[[ $kind != host ]] || host_suite "$name" "$what"
done < <(suite_rows)
account_close
