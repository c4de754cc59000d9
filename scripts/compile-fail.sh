#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# compile-fail.sh [NAME...]: the cases of rust/compile_fail, or these of them, and nothing else of make check.
. "$(dirname "$0")/lib/all.sh"

own check
setup_base
kernel plain
module rust plain
results=$BUILD/out/compile-fail.results
watched "what must not compile" compile-fail 0 compile_fail "$ROOT/rust/compile_fail" "$results" "$@"
[[ -e $results ]] || die "nothing was found out" "$(tail -n 30 "$LOGS/compile-fail.log")"
account compile-fail "$results" $((SECONDS - START))
account_close
