#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make shell: an interactive machine with the module loaded. IMPL=c, KERNEL=debug choose another; MODULE=FUSE.KO is a
# module of one's own. FILES='PATH...' are copied into the folder in which the shell starts.
. "$(dirname "$0")/lib/all.sh"

impl=${IMPL:-rust} flavour=${KERNEL:-plain} ko=${MODULE:-}
read -ra files <<<"${FILES:-}"
[[ ${LANE:-qemu} = qemu && $flavour != uml-* ]] || die "make shell has a terminal in QEMU only"
[[ -t 0 && -t 1 ]] || die "make shell needs a terminal"
[[ -z $ko || -f $ko ]] || die "MODULE=$ko: no such file"
for file in "${files[@]}"; do
	[[ -e $file ]] || die "FILES: there is no $file"
done
setup_base
vm_needs "$flavour" init demo
if [[ -n $ko ]]; then
	ko=$(realpath "$ko")
	named=$ko
else
	module "$impl" "$flavour"
	ko=$MODULE named="The $impl module"
fi
out=$BUILD/out/shell
own shell
vm_prepare "$out" "$flavour" "$impl" "$ko" 1000000
vm_files "$out" "${files[@]}"
read -r rows columns < <(stty size)
cat >"$out/initrd/rf/hello" <<END
stty rows $rows cols $columns sane
PS1='guest:\w# '
HOME=/run/rust_fuse/home
cd
cat <<'TEXT'

$named is loaded on the $flavour kernel. For a mount, for example:
  mkdir /tmp/m; passthrough_ll -o source=/etc /tmp/m; ls /tmp/m; umount /tmp/m
Daemons: passthrough_ll passthrough hello hello_ll null sshfs bindfs. Our programs are in \$RF_BIN.
What FILES= named is here. Files put into \$RF_OUT come out to $out/files.
What a command asks of a mount's daemon: journey ls /tmp/m. All events: trace-cmd record -e fuse; trace-cmd report.
To load another module: umount /sys/fs/fuse/connections; rmmod fuse; insmod other.ko
To leave: exit. The module is then unloaded and the kernel's log looked at.

TEXT
journey() { demo journey "\$@"; }

# What init expects to find at the end.
leave() {
	local kind place
	while read -r _ place kind _; do
		case \$kind in
		fuse | fuse.*) umount "\$place" && echo "\$place was still mounted: unmounted" ;;
		esac
	done < <(tac /proc/mounts)
	if [[ ! -e /sys/module/fuse ]]; then
		echo "The module was no longer loaded: loaded the first one again"
		insmod /run/rust_fuse/fuse.ko
	fi
	mountpoint -q /sys/fs/fuse/connections || mount -t fusectl fusectl /sys/fs/fuse/connections
	# Whatever the last command was.
	exit 0
}
trap leave EXIT
END
printf '%s\n' interactive=1 \
	arg=/usr/bin/setsid arg=--ctty arg=--wait \
	arg=/bin/bash arg=--rcfile arg=/run/rust_fuse/hello arg=-i >>"$out/initrd/rf/job"
VM_FOREGROUND=1 vm_boot "$out" "$flavour" 1000000 '' -chardev stdio,id=terminal,signal=off -serial chardev:terminal
stty sane
vm_verdict "$out" || {
	say "This is about how the shell was left (a mount in use, a program that does not end), or about the"
	say "kernel's log, which is in $out/files/dmesg. Nothing is wrong with the scripts."
	exit 1
}
