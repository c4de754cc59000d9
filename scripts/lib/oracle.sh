# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the C module did in a suite, kept in the cache: it does the same again as long as the kernel, the guest, the
# daemons and the tests are the same. Only runs that passed are kept. A run that asks for IMPL=c is always a real one.

# oracle_key SUITE-LINE: covers all that a run of the suite on C depends on.
oracle_key() {
	{
		echo "1 $1"
		basename -a "$KERNEL" "$GUEST" "$(dirname "$EXAMPLES_DIR")" "$TOOLCHAIN"
		git -C "$ROOT" ls-files -co --exclude-standard -- selftests scripts/lib | sort | while read -r file; do
			[[ ! -f $ROOT/$file ]] || (cd "$ROOT" && sha256sum "$file")
		done
	} | hash_of
}

# oracle_recall NAME KEY OUT: puts a kept run into OUT; false if there is none.
oracle_recall() {
	local entry=$CACHE/oracle-$1-$2 out=$3
	[[ -e $entry/$ENTRY_MARK ]] || return 1
	rm -rf "$out" "$out.new"
	mkdir -p "$(dirname "$out")"
	cp -a "$entry" "$out.new"
	mv -T "$out.new" "$out"
}

# oracle_keep NAME KEY OUT: keeps a run that passed, in place of older ones of the same name.
oracle_keep() {
	local name=oracle-$1-$2 out=$3 tmp
	cache_lock "oracle-$1"
	tmp=$CACHE/tmp/$name
	remove_tree "$tmp" "$CACHE/oracle-$1"-*
	cp -a "$out" "$tmp"
	echo ', kept' >"$tmp/kept"
	date -u +%FT%TZ >"$tmp/$ENTRY_MARK"
	mv -T "$tmp" "$CACHE/$name"
	cache_unlock
}
