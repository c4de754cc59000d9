#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make run: our module in a virtual machine, unmodified daemons, and the journey of one rm. IMPL=c shows the
# same with the C module.
. "$(dirname "$0")/lib/all.sh"

impl=${IMPL:-rust}
setup_base
vm_needs plain init demo
module "$impl" plain
out=$BUILD/out/run-$impl
own "run-$impl"
vm_prepare "$out" plain "$impl" "$MODULE" 300
echo arg=demo >>"$out/initrd/rf/job"
vm_show "$out" plain 300
vm_verdict "$out" || exit 1
say "Unmounted, unloaded, nothing left behind, and nothing of note in the kernel's log."
say "took $(clock $((SECONDS - START)))"
