# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# build/doc: rustdoc, and the pages of Documentation as HTML.

# Rustdoc of the module, in build/doc/rustdoc: the command that compiled it, with rustdoc in rustc's place, for "make
# rustdoc" does not know M=. A broken link is an error.
doc_rustdoc() {
	local command
	command=$(saved_rustc | sed -E 's/ rustc / rustdoc /; s/ -Aclippy[^ ]+| -Wclippy[^ ]+| -Dclippy[^ ]+//g')
	command+=' --crate-name fuse --document-private-items -Dwarnings -Arustdoc::private_intra_doc_links'
	rm -rf "$BUILD/doc/rustdoc"
	as_kbuild bash -c "$command --out-dir $BUILD/doc/rustdoc"
}

# The pages, in build/doc.
doc_pages() {
	mkdir -p "$BUILD/doc"
	rm -f "$BUILD/doc"/*.html
	tc "$ROOT/scripts/doc-pages" "$ROOT" "$BUILD/doc"
}
