#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots one machine and runs one command in it as root, its output shown as it comes.
# vm.sh [--impl rust|c|none] [--module FUSE.KO] [--kernel plain|debug] [--limit SECONDS] [--kmemleak]
#       [--append 'KERNEL OPTIONS'] [--keep NAME] [--file PATH]... -- COMMAND [ARGUMENT...]
# Files are in /run/rust_fuse/home there. Kernels of User Mode Linux: uml-plain and so on.
# Exit code 0 if the command succeeded, the module could be unloaded and the kernel's log is clean.
. "$(dirname "$0")/lib/all.sh"

impl=rust flavour=plain limit=120 ko='' append='' leak=0 name=vm.$$ files=()
while (($# > 0)); do
	case $1 in
	--impl) impl=$2; shift 2 ;;
	--module) ko=$(realpath "$2"); shift 2 ;;
	--kernel) flavour=$2; shift 2 ;;
	--limit) limit=$2; shift 2 ;;
	--append) append=$2; shift 2 ;;
	--keep) name=$2; shift 2 ;;
	--file) files+=("$2"); shift 2 ;;
	--kmemleak) leak=1; shift ;;
	--) shift; break ;;
	-*) die "unknown option $1" ;;
	*) break ;;
	esac
done
(($# > 0)) || die "no command: see the head of $0"

setup_base
vm_needs "$flavour"
if [[ -z $ko && $impl != none ]]; then
	module "$impl" "$flavour"
	ko=$MODULE
fi
out=$BUILD/out/$name
[[ $name = "vm.$$" ]] || own "$name"
vm_prepare "$out" "$flavour" "$impl" "$ko" "$limit"
vm_files "$out" "${files[@]}"
printf 'arg=%s\n' "$@" >>"$out/initrd/rf/job"
if ((leak)); then
	echo kmemleak=1 >>"$out/initrd/rf/job"
	append+=' kmemleak=on'
fi
vm_show "$out" "$flavour" "$limit" "$append"
vm_verdict "$out"
