# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# build/doc: rustdoc, and the pages of Documentation as HTML.

# Rustdoc of the module, in build/doc/rustdoc: the command that compiled it, with rustdoc in rustc's place, for "make
# rustdoc" does not know M=. A broken link is an error.
doc_rustdoc() {
	local out=$BUILD/module/plain command
	command=$(sed -n 's/^savedcmd_rust\/main.o := //p' "$out/rust/.main.o.cmd" |
		sed -E 's/ ;.*//; s/ rustc / rustdoc /; s/ --emit=[^ ]+//g; s/ --out-dir [^ ]+//
			s/ -Aclippy[^ ]+| -Wclippy[^ ]+| -Dclippy[^ ]+//g')
	command+=' --crate-name fuse --document-private-items -Dwarnings -Arustdoc::private_intra_doc_links'
	rm -rf "$BUILD/doc/rustdoc"
	# shellcheck disable=SC2016
	tc bash -c 'cd "$0" && export RUSTC_BOOTSTRAP=1 RUST_FUSE_BINDINGS=$0/rust/bindings/bindings_generated.rs &&
		export RUST_FUSE_HELPERS=$0/rust/bindings/bindings_helpers_generated.rs && eval "$1"' \
		"$out" "$command --out-dir $BUILD/doc/rustdoc"
}

# The pages, in build/doc.
doc_pages() {
	mkdir -p "$BUILD/doc"
	rm -f "$BUILD/doc"/*.html
	tc "$ROOT/scripts/doc-pages" "$ROOT" "$BUILD/doc"
}
