# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What runs of one checkout share: folders of results, which one run has at a time, and what was built, which stays as
# it is while any run uses it.
#
# All of it is flock(2) on descriptors that this shell keeps open, so that its end, of whatever kind, frees it. Children
# that may outlive it (machines above all) must not have them: let_go.

declare -A HELD=()

# In a child: closes what the shell holds here.
let_go() {
	local fd
	for fd in "${HELD[@]}"; do
		exec {fd}>&-
	done
}

# The same, and the locks of the cache.
let_go_all() {
	local fd
	let_go
	for fd in "${LOCK_FD:-}" "${CACHE_FD:-}" "${MODULE_FD:-}"; do
		[[ -z $fd ]] || exec {fd}>&-
	done
}

# own NAME: only this run uses build/out/NAME from now on, and whatever else has that name. Several are to be taken in
# the order in which make test takes them.
own() {
	local fd lock=$BUILD/lock/$1
	[[ -z ${HELD[$1]:-} ]] || return 0
	mkdir -p "$BUILD/lock"
	exec {fd}>>"$lock"
	if ! flock -n "$fd"; then
		say "waiting for $(cat "$lock"), which uses $BUILD/out/$1"
		flock "$fd"
	fi
	echo "$(basename "$0") (process $$)" >"$lock"
	HELD[$1]=$fd
}

# keep_built NAME: makes build/NAME.new into build/NAME-HASH, HASH of what is in it, and KEPT its place. It stays as it
# is until this shell ends; those that nobody uses any more are removed. To be called under the lock under which NAME is
# built.
keep_built() {
	local new=$BUILD/$1.new fd dir
	KEPT=$BUILD/$1-$(cd "$new" && find . -type f -print0 | sort -z | xargs -0 sha256sum | hash_of)
	if [[ -e $KEPT ]]; then
		rm -rf "$new"
	else
		mv -T "$new" "$KEPT"
	fi
	if [[ -z ${HELD[$KEPT]:-} ]]; then
		exec {fd}<"$KEPT"
		flock -s "$fd"
		HELD[$KEPT]=$fd
	fi
	for dir in "$BUILD/$1"-*; do
		[[ $dir != "$KEPT" ]] || continue
		exec {fd}<"$dir"
		! flock -n "$fd" || rm -rf "$dir"
		exec {fd}<&-
	done
}
