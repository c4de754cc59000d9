#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make clean-cache: removes what the scripts put into the cache, and nothing else.
. "$(dirname "$0")/lib/all.sh"
clean_cache
