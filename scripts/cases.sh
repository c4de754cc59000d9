#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make cases SUITE=name[,name]: the names of the cases that CASE= of make test chooses from; no machine is started.
# make cases SUITE=compile-fail: those of make check.
. "$(dirname "$0")/lib/all.sh"

SUITE=${SUITE:-} known=,
if [[ $SUITE = compile-fail ]]; then
	basename -s .rs "$ROOT"/rust/compile_fail/*.rs
	exit
fi
while read -r name kind _; do
	[[ $kind != vm ]] || known+="$name,"
done < <(suite_rows)
[[ -n $SUITE ]] || die "of which SUITE=?" "those with cases:${known//,/ }"
for name in ${SUITE//,/ }; do
	[[ $known = *,$name,* ]] || die "there is no suite $name that has cases" "those with cases:${known//,/ }"
done
setup_base
selftests suites harness
for name in ${SUITE//,/ }; do
	[[ $SUITE != *,* ]] || say "$name:"
	suite_cases "$name" "${IMPL:-rust}" "${KERNEL:-plain}"
done
