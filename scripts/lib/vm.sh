# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The virtual machine: one boot runs one command and ends with a verdict.
#
# In the folder of a run: output (what the command printed), verdict (init's lines, from "started" to "done: ..."),
# console, files/ (what the guest wrote to RF_OUT), machine.log (what QEMU, or User Mode Linux, said itself).

# Kernel messages from warnings up go to the console; the log is large enough that no record is lost.
VM_APPEND='console=ttyS0 quiet panic=-1 panic_on_oops=1 log_buf_len=16M tsc=reliable no_timer_check'

# User Mode Linux with one processor, which is its fastest, and with a trace clock that all of it shares.
UML_APPEND='ncpus=1 quiet panic=-1 panic_on_oops=1 log_buf_len=16M trace_clock=mono'

# vm_prepare OUT FLAVOUR IMPL MODULE LIMIT [PROGRAM...]: the folder and the initrd of a run, with all of our programs or
# just these. The caller may add lines to OUT/initrd/rf/job, and must add the command ("arg=" lines). The caller must
# own the folder.
vm_prepare() {
	local out=$1 flavour=$2 impl=$3 ko=$4 limit=$5
	rm -rf "$out"
	mkdir -p "$out/files" "$out/initrd/rf/bin" "$out/initrd/rf/out"
	cp "$BIN/init" "$out/initrd/init"
	shift 5
	if (($# > 0)); then
		cp -t "$out/initrd/rf/bin" "${@/#/$BIN/}"
	else
		find "$BIN" -type f ! -name init -exec cp -t "$out/initrd/rf/bin" {} +
	fi
	cp -t "$out/initrd/rf/bin" "$EXAMPLES_DIR"/* "$KSELFTESTS_DIR"/*
	[[ $impl != rust ]] || cp -t "$out/initrd/rf/bin" "$ROOT/selftests/expected-gaps"
	printf 'impl=%s\nkernel=%s\nlimit=%s\n' "$impl" "${flavour#uml-}" "$limit" >"$out/initrd/rf/job"
	if [[ -n $ko ]]; then
		cp "$ko" "$out/initrd/rf/fuse.ko"
	else
		echo nomodule=1 >>"$out/initrd/rf/job"
	fi
}

# vm_more OUT OPTIONS: what only suites with such an option in scripts/suites have in their machines.
vm_more() {
	[[ ,$2, != *,selinux,* ]] || cp -t "$1/initrd/rf/bin" "$SELINUX_DIR/policy"
	[[ ,$2, = *,others,* ]] || return 0
	cp -a -t "$1/initrd/rf/bin" "$PJDFSTEST_DIR"/* "$LIBFUSE_DIR/libfuse"
}

# vm_files OUT PATH...: copies of these are in the machine's /run/rust_fuse/home. All of that is in its memory.
vm_files() {
	local out=$1 file
	shift
	mkdir "$out/initrd/rf/home"
	(($# > 0)) || return 0
	for file; do
		[[ -e $file ]] || die "there is no $file"
	done
	(($(du -smcL "$@" | tail -n 1 | cut -f1) <= 200)) ||
		die "more than 200 MB are to be in the machine's memory: $*" \
			"give the files that are needed, not their folder"
	cp -rLt "$out/initrd/rf/home" "$@"
}

vm_memory() {
	if [[ -n ${SUITE_MEMORY:-} ]]; then
		echo "$SUITE_MEMORY"
	elif [[ $1 = *debug ]]; then
		echo 2G
	else
		echo 1G
	fi
}

# vm_boot OUT FLAVOUR LIMIT [APPEND [QEMU-OPTION...]]: runs the machine of OUT to its end. The bound here is
# for a machine that is stuck as a whole; init keeps the command's own limit and says where it hangs.
vm_boot() {
	local out=$1 flavour=$2 limit=$3 append=${4:-} bound command
	shift 3
	(($# == 0)) || shift
	bound=$((limit + ${VM_SPARE:-90}))
	[[ $flavour != *debug ]] || bound=$((limit + 240))
	if [[ $flavour = uml-* ]]; then
		# User Mode Linux has the bound inside: where root runs the whole, this shell may not end what hangs.
		uml_command "$out" "$flavour" "$append" "$bound"
		bound=$((bound + 30))
	else
		qemu_command "$out" "$flavour" "$append" "$@"
	fi
	local rc=0
	vm_start || rc=$?
	# What does not come to init has tested nothing. QEMU loses a machine now and then while the kernel patches its
	# own code, or leaves it waiting for an interrupt: once is an accident.
	if [[ $flavour != uml-* && ! -s $out/verdict && -z ${VM_FOREGROUND:-} ]] &&
		((rc == 0 || rc == NOT_STARTED)); then
		mv "$out/console" "$out/console.first"
		say "${out##*/}: the machine did not come to init (see $out/console.first); once more"
		rc=0
		vm_start || rc=$?
	fi
	rm -f "$out/initrd.cpio" "$out/disk"
	echo "$rc" >"$out/exit"
	"${SUDO[@]}" chown -R "$(id -u):$(id -g)" "$out/files"
}

# Seconds within which a machine of QEMU has come to init, ten times what a busy one takes; and what vm_start returns
# for one that has not.
VM_START=${VM_START:-300}
NOT_STARTED=125

# Runs vm_boot's command to its end.
vm_start() {
	local rc=0 end=$((SECONDS + VM_START))
	: >"$out/console"
	if [[ -n ${VM_FOREGROUND:-} ]]; then
		(let_go; tc bash "$ROOT/scripts/lib/machine.sh" "${command[@]}") || rc=$?
	else
		start_group vm_exec "$bound" "${command[@]}" </dev/null >>"$out/machine.log" 2>&1
		while [[ ${command[0]} = qemu && ! -s $out/verdict ]] && kill -0 "$CHILD" 2>/dev/null; do
			if ((SECONDS >= end)); then
				local child=$CHILD
				end_child
				wait "$child" || true
				return "$NOT_STARTED"
			fi
			sleep 1
		done
		wait "$CHILD" || rc=$?
		CHILD=
	fi
	return "$rc"
}

# Sets vm_boot's command to what machine.sh is to become.
qemu_command() {
	local out=$1 flavour=$2 append=$3 options
	shift 3
	options=(-m "$(vm_memory "$flavour")")
	[[ " $* " == *" -smp "* ]] || options+=(-smp 2)
	# Without five-level paging: while identify_cpu() clears the boot CPU's features, an interrupt would find
	# KASAN with the layout of four levels, and a report of it would switch lockdep off.
	[[ " $* " == *" -accel "* ]] || options+=(-accel tcg -cpu "max,-la57")
	[[ " $* " == *" -serial "* ]] || options+=(-serial "file:$out/console")
	command=(qemu "$out" "$KERNEL/arch/x86/boot/bzImage" "$GUEST/root.img" -append "$VM_APPEND $append"
		"${options[@]}" "$@")
}

uml_command() {
	local out=$1 flavour=$2 append bound=$4
	read -ra append <<<"$UML_APPEND $3"
	command=(uml "$out" "$KERNEL/linux" "$GUEST/root.img" "$bound" "mem=$(vm_memory "$flavour")" "${append[@]}")
}

# vm_show OUT FLAVOUR LIMIT [APPEND]: the same, with the command's output shown as it comes.
vm_show() {
	local out=$1 tail
	: >"$out/output"
	(let_go_all; exec tail --pid=$$ -n +1 -f "$out/output") &
	tail=$!
	vm_boot "$@"
	sleep 0.3
	kill "$tail" 2>/dev/null || true
	wait "$tail" 2>/dev/null || true
}

# timeout stands in for the shell, so that it leads the process group that an interrupt ends.
vm_exec() {
	local bound=$1
	shift
	# shellcheck disable=SC2016
	exec timeout --kill-after=10 "$bound" bash -c '. "$0/scripts/lib/all.sh"
		trap - INT TERM; TOOLCHAIN=$1; shift; tc bash "$ROOT/scripts/lib/machine.sh" "$@"' \
		"$ROOT" "$TOOLCHAIN" "$@"
}

# vm_verdict OUT: silent success, or the reasons why the run failed; the console's end if the machine died.
vm_verdict() {
	local out=$1 rc last
	rc=$(<"$out/exit")
	last=$(tail -n 1 "$out/verdict" 2>/dev/null || true)
	if [[ $last = 'done: passed' && $rc = 0 ]]; then
		return 0
	fi
	[[ ! -s $out/verdict ]] || grep -a '^fail: ' "$out/verdict" | sed 's/^fail: /  /' || true
	if [[ $last != 'done: '* ]]; then
		case $rc in
		124 | 125 | 137) say "  the machine hung and was ended" ;;
		*) say "  the machine died without a verdict (exit code $rc)" ;;
		esac
		[[ ! -s $out/machine.log ]] || tail -n 5 "$out/machine.log" | sed 's/^/  machine: /'
		say "  the end of its console:"
		tail -n 40 "$out/console" | tr -d '\r' | sed 's/^/  | /'
	fi
	say "  see $out"
	return 1
}

# vm_needs FLAVOUR [PACKAGE...]: everything a run needs: guest, kernel, examples, the kernel's tests,
# test programs (all or these).
vm_needs() {
	guest
	kernel "$1"
	shift
	examples
	kselftests
	selftests "$@"
}

# vm_needs_more OPTIONS: the same for vm_more.
vm_needs_more() {
	[[ ,$1, != *,selinux,* ]] || selinux_policy
	[[ ,$1, = *,others,* ]] || return 0
	pjdfstest
	libfuse_tests
}
