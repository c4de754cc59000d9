#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command in the toolchain root: scripts/tc.sh cargo clippy
. "$(dirname "$0")/lib/all.sh"
setup_base
tc "$@"
