#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the toolchain root: packs the initrd and becomes the machine.
# machine.sh qemu OUT KERNEL IMAGE QEMU-OPTION...
# machine.sh uml OUT KERNEL IMAGE SECONDS KERNEL-OPTION...
set -euo pipefail
kind=$1 out=$2 kernel=$3 image=$4
shift 4
if [[ -d $out/initrd ]]; then
	(cd "$out/initrd" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >"$out/initrd.cpio"
	rm -rf "$out/initrd"
fi
case $kind in
qemu)
	exec qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -nic none -M q35 \
		-kernel "$kernel" -initrd "$out/initrd.cpio" \
		-drive "file=$image,if=virtio,format=raw,snapshot=on" \
		-device virtio-serial-pci \
		-chardev "file,id=out,path=$out/output" -device virtserialport,chardev=out,name=rf.out \
		-chardev "file,id=verdict,path=$out/verdict" -device virtserialport,chardev=verdict,name=rf.verdict \
		-fsdev "local,id=files,path=$out/files,security_model=none" \
		-device virtio-9p-pci,fsdev=files,mount_tag=out \
		"$@" ;;
uml)
	# What the guest writes stays in a file of its own. Without locks (c), for QEMU would take one on the image
	# for a writer's. Its memory is a file, here in the root's own /tmp. User Mode Linux leaves the process group
	# that an interrupt or the end of its time ends, so it ends with its parent.
	export TMPDIR=/tmp
	bound=$1
	shift
	exec timeout --foreground --kill-after=10 "$bound" setpriv --pdeathsig KILL \
		"$kernel" seccomp=on initrd="$out/initrd.cpio" ubdac="$out/disk,$image" rf.host="$out" \
		con=null con0=null,fd:1 ssl=null "$@" >>"$out/console" ;;
esac
