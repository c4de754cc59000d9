#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Does the machinery see what it has to see? Machines that go wrong in every way must all fail, and for the
# right reason; so must KTAP that is not as planned. C's results are kept by what decides them, and nothing else. And
# scripts/tidy and scripts/compile-fail see what they are for.
# harness.sh RESULTS
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

# A copy of this checkout's scripts, and of its programs the names, for keys to be taken of. Sets COPY.
oracle_copy() {
	COPY=$BUILD/out/harness-oracle
	rm -rf "$COPY"
	mkdir -p "$COPY/bin" "$COPY/root"
	(cd "$ROOT" && cp --parents -rt "$COPY/root" scripts selftests/expected-gaps)
	local program
	for program in "$BIN"/*; do
		echo "${program##*/}" >"$COPY/bin/${program##*/}"
	done
}

# The suites and their keys, with what is in COPY.
oracle_keys() (
	ROOT=$COPY/root BIN=$COPY/bin
	while read -r name kind _; do
		[[ $kind = vm ]] || continue
		vm_prepare "$COPY/machine" plain c "$MODULE" 60 "suite-$name"
		echo "arg=suite-$name" >>"$COPY/machine/initrd/rf/job"
		echo "$name $(oracle_key "$COPY/machine" plain 60 '')"
	done < <(suite_rows)
)

# edit NAME EXPECTED FILE...: for which suites an edit of these files has C run again. What cargo says was made from one
# of them is another program then.
edit() {
	local name=$1 expected=$2 file program changed truth
	shift 2
	oracle_copy
	for file in "$@"; do
		[[ -f $ROOT/$file ]] || { verdict "$name" 0 "there is no $file"; return; }
		[[ ! -f $COPY/root/$file ]] || echo '# edited' >>"$COPY/root/$file"
		for program in "$COPY/bin"/*; do
			! grep -qE "[ :]$ROOT/$file( |\$)" "$SOURCES/${program##*/}.d" || echo edited >>"$program"
		done
	done
	changed=$(oracle_keys | grep -vxFf "$KEYS" | cut -d' ' -f1 | xargs) || true
	[[ $changed = "$expected" ]] && truth=1 || truth=0
	verdict "$name" "$truth" "changes the keys of: $changed"
}

setup_base
# Both kinds of machines.
for FLAVOUR in plain uml-plain; do
	vm_needs "$FLAVOUR"
	module c "$FLAVOUR"
	machine failing_command 'run: exit code 3' 30 'exit 3'
	machine hanging_command 'run: not done after 5 seconds' 5 'sleep 1000'
	machine hanging_daemon_thread 'run: killed by signal 9' 30 'kill -9 $$'
	machine warning_in_the_log 'kernel log: .*WARNING: planted' 30 'echo WARNING: planted >/dev/kmsg'
	machine mount_left 'mounts: /tmp/m was still mounted' 30 'mkdir /tmp/m && passthrough_ll /tmp/m'
	mount='mkdir /tmp/m && truncate -s 1M /tmp/file && passthrough_ll /tmp/m'
	machine module_in_use 'unload: the module still has' 30 \
		"$mount && losetup /dev/loop0 /tmp/m/tmp/file && umount -l /tmp/m"
	machine module_gone 'unload: ' 30 'umount /sys/fs/fuse/connections && rmmod fuse'
	machine panic 'died without a verdict' 30 'echo c >/proc/sysrq-trigger; sleep 30'
	machine silent_end 'died without a verdict' 30 'echo o >/proc/sysrq-trigger; sleep 30'
	[[ $FLAVOUR = plain ]] || continue
	VM_SPARE=2 machine stuck_machine 'the machine hung' 8 'true' -S
	VM_START=3 machine late_init 'the machine hung' 30 'true' -S
	machine no_init 'died without a verdict' 30 'true' -append 'rdinit=/none panic=-1 quiet'
done
wait
ENDED=$(wc -l <"$results")
((ENDED == STARTED)) || verdict machines 0 "$ENDED of $STARTED have a verdict"

# Only what did not come to init has been started again.
again=$(cd "$BUILD/out" && echo harness-*/console.first)
[[ $again = harness-late_init-plain/console.first\ harness-no_init-plain/console.first ]] && truth=1 || truth=0
verdict started_again "$truth" "these have been: $again"

ktap ktap_pass 'pass:a pass:b' 'KTAP version 1\n1..2\nok 1 a\nok 2 b\n'
ktap ktap_fail 'pass:a fail:b' 'KTAP version 1\n1..2\nok 1 a\nnot ok 2 b # why\n'
ktap ktap_skip 'skip:a xfail:b' 'KTAP version 1\n1..2\nok 1 a # SKIP no\nok 2 b # XFAIL later\n'
ktap ktap_too_few 'pass:a fail:plan' 'KTAP version 1\n1..2\nok 1 a\n'
ktap ktap_nested 'pass:s.a fail:s.b' \
	'KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\n  not ok 2 b\nnot ok 1 s\n'
ktap ktap_parent_fails 'pass:s.a fail:s' 'KTAP version 1\n1..1\n  1..1\n  ok 1 a\nnot ok 1 s\n'
ktap ktap_nothing 'fail:output' 'hello\n'

# A program that knew where its checkout is would be another one in the next.
known=$(grep -lF "$ROOT" "$BIN"/* | xargs -r -n 1 basename | xargs || true)
verdict oracle_any_checkout $((${#known} == 0)) "the checkout's path is in $known"

# What cargo tells of the programs' sources must be told of this checkout.
cache_lock cargo
if [[ $(<"$TARGET/checkout") != "$ROOT" ]]; then
	cache_unlock
	BIN=
	selftests
	cache_lock cargo
fi
SOURCES=$BUILD/out/harness-sources
rm -rf "$SOURCES"
mkdir "$SOURCES"
cp -t "$SOURCES" "$TARGET"/x86_64-unknown-linux-gnu/release/*.d
cache_unlock
oracle_copy
KEYS=$BUILD/out/harness-oracle.keys
oracle_keys >"$KEYS"
ALL=$(cut -d' ' -f1 "$KEYS" | xargs)
# This one links nothing of ours.
LINKING=$(cut -d' ' -f1 "$KEYS" | grep -vx guest | xargs)
[[ $(cut -d' ' -f2 "$KEYS" | sort -u | wc -l) = $(wc -l <"$KEYS") ]] && truth=1 || truth=0
verdict oracle_own_keys "$truth" "two suites have one key"
edit oracle_suite mount selftests/suites/src/bin/suite-mount/options.rs
edit oracle_suite_main ops selftests/suites/src/bin/suite-ops/main.rs
edit oracle_suite_guest guest selftests/guest/harness/src/guest.rs
edit oracle_suites_lib "$LINKING" selftests/suites/src/common/daemon.rs
edit oracle_ktap "$LINKING" selftests/lib/ktap/src/lib.rs
edit oracle_mockd "$LINKING" selftests/lib/mockd/src/mock.rs
edit oracle_init "$ALL" selftests/guest/init/src/main.rs
edit oracle_machine "$ALL" scripts/lib/machine.sh
edit oracle_ktap_awk "$ALL" scripts/lib/ktap.awk
edit oracle_others '' selftests/expected-gaps selftests/lib/mockd/src/bin/wirediff.rs selftests/bench/src/main.rs \
	selftests/guest/demo/src/main.rs selftests/host/abi/Cargo.toml rust/main.rs scripts/check.sh scripts/test.sh \
	scripts/suites scripts/lib/suite.sh Documentation/testing.rst

# scripts/tidy sees what it is for: each rule, in a copy of the checkout with one thing that is not as it should be.
TIDY=$BUILD/out/harness-tidy TIDIED=0
tidy_copy() {
	rm -rf "$TIDY"
	mkdir -p "$TIDY"
	tar -C "$ROOT" --exclude=target -c rust scripts selftests Documentation Kbuild Makefile README.md \
		CONTRIBUTING.md |
		tar -C "$TIDY" -x
}

# tidy_sees RULE PATTERN FILE SED: with FILE changed by SED, tidy must complain by RULE, of what PATTERN matches.
tidy_sees() {
	local shown truth=0 name
	TIDIED=$((TIDIED + 1))
	name=tidy_$1.$TIDIED
	if ! cp "$TIDY/$3" "$TIDY.kept" || ! sed -i -E "$4" "$TIDY/$3" || cmp -s "$TIDY/$3" "$TIDY.kept"; then
		verdict "$name" 0 "nothing was changed in $3"
		return
	fi
	shown=$(tc "$TIDY/scripts/tidy" "$TIDY" "$SOURCE") || true
	[[ $(wc -l <<<"$shown") != 1 ]] || ! grep -qE "^$1: .*$2" <<<"$shown" || truth=1
	verdict "$name" "$truth" "says ${shown:0:300}"
	mv "$TIDY.kept" "$TIDY/$3"
}
tidy_copy
tidy_sees length 'rust/main.rs: [0-9]+ lines' rust/main.rs "\$ s/\$/$(printf '\\n%.0s' {1..600})/"
tidy_sees columns 'rust/main.rs:2: 10[0-9] columns' rust/main.rs "2 s/\$/\/\/ $(printf 'x%.0s' {1..100})/"
tidy_sees columns 'Documentation/index.rst:2: 1[2-9][0-9] columns' Documentation/index.rst \
	"2 s/\$/$(printf 'x%.0s' {1..121})/"
tidy_sees columns 'scripts/run.sh:2: 1[2-9][0-9] columns' scripts/run.sh "2 s/\$/$(printf 'x%.0s' {1..121})/"
tidy_sees function 'planted\(\) has 83 lines' rust/main.rs "\$ s/\$/\nfn planted() {$(printf '\\n%.0s' {1..82})}/"
tidy_sees arrow 'rust/abi/mod.rs uses fs' rust/abi/mod.rs '$ s/$/\nuse crate::fs::Registration;/'
tidy_sees arrow 'rust/fs/ops/superblock.rs uses control' rust/fs/ops/superblock.rs \
	'$ s/$/\nuse crate::control::connections;/'
tidy_sees arrow 'fs/notify does not use control' scripts/tidy.layers 's/^fs\/notify:/& control/'
tidy_sees circle 'among the files of fs: fs/dir/remove fs/dir/rename' rust/fs/dir/remove.rs \
	'$ s/$/\nuse super::rename;/'
tidy_sees listed 'rust/fs/mod.rs: its head does not name planted' rust/fs/mod.rs \
	'$ s/$/\nmod planted;/'
tidy_sees case 'no row has the case static_mutex_guard_sent' Documentation/safety.rst 's/static_mutex_guard_sent, //'
tidy_sees case 'there is no case planted' Documentation/safety.rst 's/static_mutex_guard_sent, /&planted, /'
# In two parts, lest it be found here.
GONE=NotThere GONE+=AtAll
tidy_sees name "has $GONE" Documentation/design.rst "\$ s/\$/\n\`\`$GONE\`\`/"
tidy_sees name "has $GONE::new" Documentation/design.rst "\$ s/\$/\n\`\`$GONE::new\`\`/"
tidy_sees name "has fuse_$GONE" Documentation/design.rst "\$ s/\$/\n\`\`fuse_$GONE()\`\`/"
tidy_sees name "there is no fs/$GONE.rs" Documentation/design.rst "\$ s/\$/\n\`\`fs\/$GONE.rs\`\`/"
tidy_sees exception 'nothing needs "length rust/main.rs"' scripts/tidy.exceptions \
	'$ s/$/\nlength rust\/main.rs planted/'

# What must not compile: cases that do, or fail in another way than they say, must all fail, each for its own reason.
PLANTED=$BUILD/out/harness-compile-fail
rm -rf "$PLANTED"
mkdir -p "$PLANTED"
declare -A REASONS

# planted NAME REASON LINE...: a case whose function has these lines, the first of which is the file's second one; and
# why it must fail, a pattern, empty if it passes.
planted() {
	local name=$1
	REASONS[$name]=$2
	shift 2
	printf '%s\n' 'fn case() {' "$@" '}' >"$PLANTED/$name.rs"
}
planted mismatch '' 'let _: u32 = "";  // error[E0308]'
planted borrow '' 'struct S; let s = S;' 'drop(s);' \
	'drop(s);  // error[E0382]'
planted name '' 'use crate::nowhere;  // error[E0432]'
planted unsafe_code '' 'unsafe { core::hint::unreachable_unchecked() }  // error[unsafe_code]'
planted compiles '^compiles$' 'let _: u32 = 1;  // error[E0308]'
planted other_code '^E0308 on line 2: .*; not E0277 on line 2$' 'let _: u32 = "";  // error[E0277]'
planted other_line '^E0382 on line 4: .*; not E0382 on line 3$' \
	'struct S; let s = S;' 'drop(s);  // error[E0382]' 'drop(s);'
planted second_error '^E0308 on line 4: .*; not E0308 on line 3$' 'let x = 1;' 'let x: &str = 1;  // error[E0308]' \
	'let _: u32 = x;'
planted fails_anyway '^does not compile without its line 2: E0308 on line 3: ' 'let _: u32 = "";  // error[E0308]' \
	'let _: u32 = "";'
planted warned '^does not compile without its line 2: unreachable_code on line 4: ' \
	'let _: u32 = "";  // error[E0308]' '#[warn(unreachable_code)] { return;' '(); }'
planted unmarked '^has 0 marked lines' 'let _: u32 = "";'
planted marked_twice '^has 2 marked lines' 'let _: u32 = "";  // error[E0308]' 'let _: u32 = "";  // error[E0308]'
kernel plain
module rust plain
compile_fail "$PLANTED" "$PLANTED.results" >"$PLANTED.log" 2>&1 && truth=0 || truth=1
verdict compile_fail_status "$truth" "ended with 0"
for name in "${!REASONS[@]}"; do
	said=$(awk -F'\t' -v name="compile-fail $name" '$2 == name { print $1 "\t" $3 }' "$PLANTED.results" || true)
	truth=0
	if [[ -z ${REASONS[$name]} ]]; then
		[[ $said != pass* ]] || truth=1
	else
		[[ $said != fail* ]] || ! grep -qE "${REASONS[$name]}" <<<"${said#*$'\t'}" || truth=1
	fi
	verdict "compile_fail_$name" "$truth" "says $said: see $PLANTED.log"
done
