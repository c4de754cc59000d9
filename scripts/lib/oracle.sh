# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the C module did in a suite, kept in the cache: it does the same again as long as the machine that runs it is the
# same. Only runs that passed are kept. A run that asks for IMPL=c is always a real one.

# Scripts of scripts/lib that a run goes through: what the machine is, and what is read in its output.
ORACLE_SCRIPTS='vm.sh machine.sh roots.sh enter.sh ktap.awk'
# How many runs of one suite are kept: of checkouts that share the cache, of the suite's long form.
ORACLE_KEEP=4

# oracle_key OUT FLAVOUR LIMIT APPEND: covers all that a run of the machine prepared in OUT depends on. What is in its
# initrd is all that it has of this checkout, byte by byte: init, the module, the job, and of our programs those that
# the suite may run; a program that is not there cannot be run.
oracle_key() {
	local out=$1 flavour=$2 limit=$3 append=$4
	{
		echo "2 $flavour $limit $append"
		vm_memory "$flavour"
		basename -a "$KERNEL" "$GUEST" "$TOOLCHAIN"
		(cd "$out/initrd" && find . -printf '%p %y %m\n' | LC_ALL=C sort &&
			find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
		# shellcheck disable=SC2086
		(cd "$ROOT/scripts/lib" && sha256sum $ORACLE_SCRIPTS)
	} | hash_of
}

# oracle_recall NAME KEY OUT: puts a kept run into OUT; false if there is none.
oracle_recall() {
	local entry=$CACHE/oracle-$1-$2 out=$3 found=1
	cache_lock "oracle-$1"
	if [[ -e $entry/$ENTRY_MARK ]]; then
		touch "$entry"
		rm -rf "$out" "$out.new"
		mkdir -p "$(dirname "$out")"
		cp -a "$entry" "$out.new"
		mv -T "$out.new" "$out"
		found=0
	fi
	cache_unlock
	return "$found"
}

# oracle_keep NAME KEY OUT: keeps a run that passed, beside the ones of the same name that were used last.
oracle_keep() {
	local name=oracle-$1-$2 out=$3 tmp old
	cache_lock "oracle-$1"
	tmp=$CACHE/tmp/$name
	remove_tree "$tmp" "$CACHE/$name"
	cp -a "$out" "$tmp"
	echo ', kept' >"$tmp/kept"
	date -u +%FT%TZ >"$tmp/$ENTRY_MARK"
	mv -T "$tmp" "$CACHE/$name"
	mapfile -t old < <(find "$CACHE" -mindepth 1 -maxdepth 1 -name "oracle-$1-*" -printf '%T@ %p\n' | sort -rn |
		tail -n "+$((ORACLE_KEEP + 1))" | cut -d' ' -f2-)
	remove_tree "${old[@]}"
	cache_unlock
}
