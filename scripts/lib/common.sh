# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Shared by every script: where things are, messages, long steps, failures.

set -euo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=$ROOT/build
LOGS=$BUILD/log
CACHE=${RUST_FUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rust_fuse}
JOBS=$(nproc)
START=$SECONDS

case $ROOT$CACHE in
*[[:space:]:,]*)
	echo "error: the paths of the checkout and of the cache may not contain blanks, commas or colons" >&2
	exit 1 ;;
esac
[[ $CACHE = /* ]] || { echo "error: RUST_FUSE_CACHE must be an absolute path" >&2; exit 1; }
# Kernel builds know their own path: one and the same for everybody, whatever links lead there.
CACHE=$(realpath -m "$CACHE")

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$1" >&2; shift; (($# == 0)) || printf '       %s\n' "$@" >&2; exit 1; }
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# What cannot be written to stops a run later with a message that says nothing: see now. After a run as root, a user
# cannot.
writable_build() {
	local why first
	if why=$(mkdir -p "$LOGS" 2>&1); then
		# What other runs remove meanwhile is no matter.
		first=$(find "$BUILD" -maxdepth 2 ! -type l ! -user "$EUID" ! -writable -print -quit \
			2>/dev/null || true)
		[[ -n $first ]] || return 0
	elif [[ -e $BUILD && ! -w $BUILD ]]; then
		first=$BUILD
	elif [[ -w $ROOT ]]; then
		die "cannot make $LOGS" "$why"
	else
		die "$ROOT belongs to $(stat -c %U "$ROOT"), and $(id -un) may not write to it" \
			"run the command as that user, or make the checkout yours, as root: chown -R $(id -un): $ROOT"
	fi
	die "$first belongs to $(stat -c %U "$first"), and $(id -un) may not write to it" \
		"an earlier run was another user's: go on as that user, or remove what it left, as root: rm -rf $BUILD"
}
writable_build

# Everything that needs root goes through this array; empty for root itself.
SUDO=()
if ((EUID != 0)); then
	SUDO=(sudo)
fi

need_root() {
	((EUID != 0)) || return 0
	command -v sudo >/dev/null || die "root is needed for $1, and there is no sudo on this machine" \
		"run the command as root, or have root do this once: apt-get install sudo && adduser $(id -un) sudo"
	sudo -n true 2>/dev/null || sudo -v || die "root is needed for $1, and sudo does not let $(id -un)" \
		"run the command as root, or have root do this once, and log in again: adduser $(id -un) sudo"
}

# The lines of a log that tell why a step failed: errors first, then the end.
log_extract() {
	local log=$1
	local telling='(^|[^[:alnum:]_-])(error|Error|ERROR|fatal|E)(\[E[0-9]+\])?:'
	grep -aE "$telling|No space left|undefined reference|panicked at" "$log" |
		tail -n 12 | sed 's/^/  | /' || true
	say "  last lines:"
	tail -n 15 "$log" | sed 's/^/  | /'
}

# Reports on a running step: nothing for two seconds, then its name, then how far it
# is (lines logged out of the number it usually logs) and how long it has taken.
step_report() {
	local name=$1 log=$2 lines=$3 start=$SECONDS last=0 now done_part
	# Its sleep may outlive this shell for a moment.
	let_go_all
	sleep 2
	[[ -t 1 ]] || say "$name ..."
	while :; do
		now=$((SECONDS - start))
		done_part=
		if ((lines > 0)); then
			done_part=$(($(wc -l <"$log") * 100 / lines))
			((done_part < 99)) || done_part=99
			done_part=" $done_part %,"
		fi
		if [[ -t 1 ]]; then
			printf '\r%s:%s %s ' "$name" "$done_part" "$(clock $now)"
		elif ((now - last >= 60)); then
			last=$now
			say "  $name:$done_part $(clock $now)"
		fi
		sleep 1
	done
}

# watched NAME LOG LINES COMMAND...: runs COMMAND with its output in $LOGS/LOG.log, and tells how far it is. LINES is
# about how many lines it logs, 0 if nobody knows. Sets RC to its exit status.
watched() {
	local name=$1 log=$LOGS/$2.log lines=$3 reporter
	shift 3
	RC=0
	: >"$log"
	step_report "$name" "$log" "$lines" &
	reporter=$!
	# An "if" around the command would switch set -e off inside it: run it apart and wait.
	start_group "$@" >>"$log" 2>&1 </dev/null
	wait "$CHILD" || RC=$?
	CHILD=
	kill "$reporter" 2>/dev/null || true
	wait "$reporter" 2>/dev/null || true
	[[ ! -t 1 ]] || printf '\r\033[K'
}

# step NAME LOG LINES COMMAND...: as watched; a failure shows the command, the log and the lines that matter, and ends
# the script.
step() {
	local name=$1 log=$LOGS/$2.log start=$SECONDS
	watched "$@"
	shift 3
	if ((RC != 0)); then
		say "$name: FAILED after $(clock $((SECONDS - start)))"
		say "  command: $*"
		say "  log: $log"
		log_extract "$log"
		exit 1
	fi
	if ((SECONDS - start >= 3)); then
		say "$name: $(clock $((SECONDS - start)))"
	fi
}

# Starts a command in a process group of its own, which an interrupt ends as a whole.
CHILD=
start_group() {
	set -m
	(let_go; "$@") &
	CHILD=$!
	set +m
}

end_child() {
	[[ -n $CHILD ]] || return 0
	"${SUDO[@]}" kill -TERM -- "-$CHILD" 2>/dev/null || true
	CHILD=
}

on_interrupt() {
	trap - INT TERM
	end_child
	local job
	for job in $(jobs -p); do
		kill -TERM "$job" 2>/dev/null || true
	done
	say "interrupted"
	exit 130
}
trap on_interrupt INT TERM

hash_of() { sha256sum | cut -c1-12; }

# What cargo makes, of all checkouts: see cargo_lock.
TARGET=$CACHE/target
