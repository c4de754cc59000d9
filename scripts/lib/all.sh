# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sources the parts, in the order in which they use each other.
_lib=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=/dev/null
for _part in common lock cache host roots kernel build doc vm oracle suite lanes; do
	. "$_lib/$_part.sh"
done

# What every command needs before anything else.
setup_base() {
	need_root "working in a Debian root of its own (unshare, mount, chroot)"
	host_tools
	cache_init
	toolchain
}
