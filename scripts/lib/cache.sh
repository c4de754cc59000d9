# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The cache: one folder with entries named KIND-HASH, where HASH covers what went into the entry.
#
# An entry is built in tmp/ and renamed when it is complete, under a lock of its own, so that an
# interrupted or a concurrent run never leaves or sees half of one. Each complete entry carries the file
# $ENTRY_MARK. Every user of the cache holds its lock shared; clean-cache wants it exclusively.

CACHE_MARK=.rust_fuse-cache
ENTRY_MARK=.rust_fuse-entry
CACHE_KINDS='toolchain guest source kernel examples kselftests pjdfstest libfuse selinux tools oracle'

cache_init() {
	if [[ ! -e $CACHE/$CACHE_MARK ]]; then
		if [[ -d $CACHE && -n $(ls -A "$CACHE") ]]; then
			die "$CACHE is not empty and was not made by this project" \
				"name another folder with RUST_FUSE_CACHE="
		fi
		mkdir -p "$CACHE" || die "cannot make the cache folder $CACHE"
		echo "cache of rust_fuse: made by its scripts, emptied by make clean-cache" >"$CACHE/$CACHE_MARK"
	fi
	mkdir -p "$CACHE/tmp" "$CACHE/lock" "$CACHE/cargo" "$TARGET" 2>/dev/null || true
	local dir
	for dir in "$CACHE" "$CACHE/tmp" "$CACHE/lock" "$CACHE/lock/use" "$CACHE/cargo" "$TARGET"; do
		[[ ! -e $dir || -w $dir ]] || die \
			"$dir belongs to $(stat -c %U "$dir"), and $(id -un) may not write to it" \
			"run the command as that user, or name another cache with RUST_FUSE_CACHE="
	done
	exec {CACHE_FD}>"$CACHE/lock/use"
	flock -s -n "$CACHE_FD" || die "make clean-cache is emptying $CACHE: try again when it is done"
}

# Takes lock NAME of the cache for as long as this shell lives, or until cache_unlock.
cache_lock() {
	exec {LOCK_FD}>"$CACHE/lock/$1"
	if ! flock -n "$LOCK_FD"; then
		say "waiting for another run that holds $CACHE/lock/$1"
		flock "$LOCK_FD"
	fi
}
cache_unlock() { exec {LOCK_FD}>&-; LOCK_FD=; }

# cache_entry KIND KEY FUNCTION [ARG...]: sets ENTRY to the folder of the entry, and calls
# FUNCTION DIR [ARG...] to fill it if there is none. FUNCTION ends the script if it fails.
cache_entry() {
	local name=$1-$2 fn=$3 tmp
	shift 3
	ENTRY=$CACHE/$name
	[[ ! -e $ENTRY/$ENTRY_MARK ]] || return 0
	cache_lock "$name"
	if [[ ! -e $ENTRY/$ENTRY_MARK ]]; then
		check_disk
		# Whatever lies here is from a run that died: this one holds the lock.
		remove_tree "$CACHE/tmp/$name" "$ENTRY"
		tmp=$CACHE/tmp/$name
		mkdir "$tmp"
		"$fn" "$tmp" "$@"
		date -u +%FT%TZ >"$tmp/$ENTRY_MARK"
		sync -f "$tmp"
		mv -T "$tmp" "$ENTRY"
	fi
	cache_unlock
}

# Removes trees of ours, which may hold files of root, and never crosses into another filesystem.
remove_tree() {
	local dir
	for dir in "$@"; do
		[[ -e $dir ]] || continue
		if awk -v dir="$dir" '$5 == dir || index($5, dir "/") == 1 { found = 1 } END { exit !found }' \
			/proc/self/mountinfo; then
			die "something is mounted in $dir: unmount it first"
		fi
		rm -rf --one-file-system -- "$dir" 2>/dev/null || true
		[[ -e $dir ]] || continue
		need_root "removing $dir"
		"${SUDO[@]}" rm -rf --one-file-system -- "$dir"
	done
}

check_disk() {
	local free
	free=$(df --output=avail -BM "$CACHE" | tail -n 1 | tr -dc 0-9)
	((free >= ${RUST_FUSE_MIN_DISK_MB:-8000})) ||
		die "only $free MB are free where the cache is ($CACHE), about 8000 are needed" \
			"name a folder on a larger disk with RUST_FUSE_CACHE="
}

clean_cache() {
	[[ -d $CACHE ]] || { say "there is no cache at $CACHE"; return; }
	[[ -e $CACHE/$CACHE_MARK ]] || die "$CACHE was not made by this project: left alone"
	mkdir -p "$CACHE/lock"
	exec {CACHE_FD}>"$CACHE/lock/use"
	flock -n "$CACHE_FD" || die "another run is using $CACHE"
	if awk -v dir="$CACHE" 'index($5, dir "/") == 1 { print "mounted: " $5; found = 1 } END { exit !found }' \
		/proc/self/mountinfo; then
		die "something is mounted below $CACHE: unmount it first"
	fi
	need_root "removing the roots in the cache"
	local kind dir
	for kind in $CACHE_KINDS; do
		for dir in "$CACHE/$kind"-*; do
			[[ ! -e $dir/$ENTRY_MARK ]] || remove_tree "$dir"
		done
	done
	for dir in tmp cargo target; do
		remove_tree "$CACHE/$dir"
	done
	rm -rf --one-file-system -- "$CACHE/lock"
	rm -f -- "$CACHE/$CACHE_MARK"
	if rmdir -- "$CACHE" 2>/dev/null; then
		say "removed $CACHE"
	else
		say "emptied $CACHE; what is not ours was left there"
		# What is left is not ours, but the folder still is: it may be used again.
		: >"$CACHE/$CACHE_MARK"
	fi
}
