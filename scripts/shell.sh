#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make shell: an interactive machine with the module loaded. IMPL=c, KERNEL=debug choose another.
. "$(dirname "$0")/lib/all.sh"

impl=${IMPL:-rust} flavour=${KERNEL:-plain}
[[ ${LANE:-qemu} = qemu && $flavour != uml-* ]] || die "make shell has a terminal in QEMU only"
[[ -t 0 && -t 1 ]] || die "make shell needs a terminal"
setup_base
vm_needs "$flavour" init demo
module "$impl" "$flavour"
out=$BUILD/out/shell
own shell
vm_prepare "$out" "$flavour" "$impl" "$MODULE" 1000000
read -r rows columns < <(stty size)
cat >"$out/initrd/rf/hello" <<END
stty rows $rows cols $columns sane
PS1='guest:\w# '
cat <<'TEXT'

The $impl module is loaded on the $flavour kernel. For a mount, for example:
  mkdir /tmp/m; passthrough_ll -o source=/etc /tmp/m; ls /tmp/m; umount /tmp/m
Daemons: passthrough_ll passthrough hello hello_ll null sshfs bindfs. Our programs are in \$RF_BIN.
Files put into \$RF_OUT come out to $out/files.
To leave: exit. The module is then unloaded and the kernel's log looked at.

TEXT
END
printf '%s\n' interactive=1 arg=/usr/bin/setsid arg=--ctty arg=--wait arg=/bin/bash arg=--rcfile arg=/run/rust_fuse/hello arg=-i \
	>>"$out/initrd/rf/job"
VM_FOREGROUND=1 vm_boot "$out" "$flavour" 1000000 '' -chardev stdio,id=terminal,signal=off -serial chardev:terminal
stty sane
vm_verdict "$out"
