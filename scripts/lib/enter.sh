#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a mount namespace of its own, as root: enter.sh ROOT UID:GID GROUPS DIR BIND... -- COMMAND...
# Binds what the command needs at the paths it has outside, and becomes the command inside ROOT.
set -euo pipefail
root=$1 who=$2 groups=$3 dir=$4
shift 4
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 run "$root/run"
while [[ $1 != -- ]]; do
	mkdir -p "$root$1"
	mount --rbind "$1" "$root$1"
	shift
done
shift
# The machine's own certificates and resolver: a fresh root knows neither.
ca=/run/certificates.pem
cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" >"$root$ca" 2>/dev/null || ca=
for file in resolv.conf hosts; do
	[[ ! -r /etc/$file ]] || cat "/etc/$file" >"$root/run/$file"
	[[ -e $root/etc/$file ]] || : >"$root/etc/$file"
	[[ ! -e $root/run/$file ]] || mount --bind "$root/run/$file" "$root/etc/$file"
done
mkdir -m 1777 "$root/tmp/home"
env=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home LC_ALL=C.UTF-8 "TERM=${TERM:-dumb}"
	"CARGO_HOME=$CARGO_HOME" "CARGO_TARGET_DIR=$CARGO_TARGET_DIR")
[[ -z $ca ]] || env+=("SSL_CERT_FILE=$ca" "CARGO_HTTP_CAINFO=$ca")
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SOURCE_DATE_EPOCH RUST_BACKTRACE CI; do
	[[ -z ${!name:-} ]] || env+=("$name=${!name}")
done
# shellcheck disable=SC2016
exec chroot --userspec="$who" --groups="$groups" "$root" \
	/usr/bin/env -i "${env[@]}" /bin/bash -c 'cd "$0" && exec "$@"' "$dir" "$@"
