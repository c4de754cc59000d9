#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make doc: rustdoc of the module and the pages of Documentation, in build/doc. A reference that leads nowhere fails it.
. "$(dirname "$0")/lib/all.sh"

setup_base
own check
step "pages" doc-pages 0 doc_pages
kernel plain
module rust plain
step "rustdoc" doc-rustdoc 0 doc_rustdoc
say "$BUILD/doc/index.html"
say "$BUILD/doc/rustdoc/fuse/index.html"
