#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Does the machinery see what it has to see? Machines that go wrong in every way must all fail, and for the
# right reason; so must KTAP that is not as planned. harness.sh RESULTS
. "$(dirname "$0")/lib/all.sh"

results=$1
: >"$results"

# verdict NAME TRUTH [REASON]
verdict() {
	if (($2)); then
		printf 'pass\t%s\t\n' "$1" >>"$results"
	else
		printf 'fail\t%s\t%s\n' "$1" "${3:-}" >>"$results"
	fi
}

# fails NAME PATTERN LIMIT COMMAND [QEMU-OPTION...]: the machine that runs the shell command must fail, and
# what is then shown must match.
fails() {
	local name=$1.$FLAVOUR pattern=$2 limit=$3 command=$4 out=$BUILD/out/harness-$1-$FLAVOUR shown truth=0
	shift 4
	trap 'end_child; exit 130' INT TERM
	vm_prepare "$out" "$FLAVOUR" c "$MODULE" "$limit"
	printf 'arg=sh\narg=-c\narg=%s\n' "$command" >>"$out/initrd/rf/job"
	vm_boot "$out" "$FLAVOUR" "$limit" '' "$@"
	if shown=$(vm_verdict "$out"); then
		verdict "$name" 0 "the run passed"
		return
	fi
	! grep -qE "$pattern" <<<"$shown" || truth=1
	verdict "$name" "$truth" "does not say $pattern: see $out"
}

# machine ...: as fails, beside others.
RUNNING=0 STARTED=0
machine() {
	STARTED=$((STARTED + 1))
	if ((RUNNING >= JOBS)); then
		wait -n || true
		RUNNING=$((RUNNING - 1))
	fi
	fails "$@" &
	RUNNING=$((RUNNING + 1))
}

# ktap NAME EXPECTED TEXT: the result words for a piece of KTAP.
ktap() {
	local words
	words=$(printf '%b' "$3" | awk -f "$ROOT/scripts/lib/ktap.awk" | cut -f1,2 | tr '\t\n' ': ')
	verdict "$1" $((${#words} > 0 && $([[ $words = "$2 " ]] && echo 1 || echo 0))) "got $words"
}

setup_base
# Both kinds of machines.
for FLAVOUR in plain uml-plain; do
	vm_needs "$FLAVOUR" init demo
	module c "$FLAVOUR"
	machine failing_command 'run: exit code 3' 30 'exit 3'
	machine hanging_command 'run: not done after 5 seconds' 5 'sleep 1000'
	machine hanging_daemon_thread 'run: killed by signal 9' 30 'kill -9 $$'
	machine warning_in_the_log 'kernel log: .*WARNING: planted' 30 'echo WARNING: planted >/dev/kmsg'
	machine mount_left 'mounts: /tmp/m was still mounted' 30 'mkdir /tmp/m && passthrough_ll /tmp/m'
	machine module_in_use 'unload: the module still has' 30 \
		'mkdir /tmp/m && truncate -s 1M /tmp/file && passthrough_ll /tmp/m && losetup /dev/loop0 /tmp/m/tmp/file && umount -l /tmp/m'
	machine module_gone 'unload: ' 30 'umount /sys/fs/fuse/connections && rmmod fuse'
	machine panic 'died without a verdict' 30 'echo c >/proc/sysrq-trigger; sleep 30'
	machine silent_end 'died without a verdict' 30 'echo o >/proc/sysrq-trigger; sleep 30'
	[[ $FLAVOUR != plain ]] || VM_SPARE=2 machine stuck_machine 'the machine hung' 8 'true' -S
done
wait
ENDED=$(wc -l <"$results")
((ENDED == STARTED)) || verdict machines 0 "$ENDED of $STARTED have a verdict"

ktap ktap_pass 'pass:a pass:b' 'KTAP version 1\n1..2\nok 1 a\nok 2 b\n'
ktap ktap_fail 'pass:a fail:b' 'KTAP version 1\n1..2\nok 1 a\nnot ok 2 b # why\n'
ktap ktap_skip 'skip:a xfail:b' 'KTAP version 1\n1..2\nok 1 a # SKIP no\nok 2 b # XFAIL later\n'
ktap ktap_too_few 'pass:a fail:plan' 'KTAP version 1\n1..2\nok 1 a\n'
ktap ktap_nested 'pass:s.a fail:s.b' 'KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\n  not ok 2 b\nnot ok 1 s\n'
ktap ktap_parent_fails 'pass:s.a fail:s' 'KTAP version 1\n1..1\n  1..1\n  ok 1 a\nnot ok 1 s\n'
ktap ktap_nothing 'fail:output' 'hello\n'
