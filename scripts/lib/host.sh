# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is needed from the machine itself: a few packages, and the address of a Debian mirror.

HOST_PACKAGES=(mmdebstrap debian-archive-keyring make)

# Is anything of HOST_PACKAGES missing? A keyring from before trixie counts as missing.
host_missing() {
	local tool
	for tool in mmdebstrap make flock unshare; do
		command -v "$tool" >/dev/null || return 0
	done
	! compgen -G '/usr/share/keyrings/debian-archive-trixie-stable.*' >/dev/null
}

host_tools() {
	host_missing || return 0
	local id='' version=''
	# shellcheck disable=SC1091
	if [[ -r /etc/os-release ]]; then
		id=$(. /etc/os-release; echo "${ID:-}")
		version=$(. /etc/os-release; echo "${VERSION_ID:-}")
	fi
	if [[ $id != debian || ! $version =~ ^(12|13)$ ]]; then
		die "this machine is not Debian 12 or 13, so install these yourself and run the command again:" \
			"mmdebstrap, the Debian archive keyring with trixie's keys (debian-archive-keyring" \
			"2023.3+deb12u2 or later)," \
			"GNU make, util-linux (flock, unshare), dpkg and apt"
	fi
	need_root "installing ${HOST_PACKAGES[*]}"
	step "host tools" host-tools 0 host_install
	! host_missing || die "apt installed ${HOST_PACKAGES[*]}, and something is still missing" \
		"log: $LOGS/host-tools.log"
}

host_install() {
	"${SUDO[@]}" apt-get update
	"${SUDO[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${HOST_PACKAGES[@]}"
}

# Lines for sources.list from the mirror this machine itself uses, if it has one for Debian; else nothing,
# and mmdebstrap uses its own default.
mirror_lines() {
	local main='' security='' codename=''
	if [[ -n ${RUST_FUSE_MIRROR:-} ]]; then
		main=$RUST_FUSE_MIRROR
	elif [[ -r /etc/os-release ]] && command -v apt-get >/dev/null; then
		# shellcheck disable=SC1091
		codename=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
		local targets
		targets=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' \
			'Created-By: Packages' 2>/dev/null | sort -u || true)
		main=$(awk -v c="$codename" '$2 == c && $3 == "Debian" { print $1; exit }' <<<"$targets")
		security=$(awk -v c="$codename-security" '$2 == c && $3 == "Debian" { print $1; exit }' <<<"$targets")
	fi
	[[ -n $main ]] || return 0
	echo "deb $main trixie main"
	echo "deb $main trixie-updates main"
	[[ -z $security ]] || echo "deb $security trixie-security main"
}

# need_network: ends the script with a short message if the mirror cannot be reached, rather than in the middle of a
# log. What else may be wrong with a mirror is for the tool that uses it to say.
need_network() {
	local url helper=/usr/lib/apt/apt-helper to why=''
	[[ -x $helper ]] || return 0
	url=$(mirror_lines | awk '{ print $2; exit }')
	url=${url:-http://deb.debian.org/debian}
	to=$(mktemp -d)
	"$helper" -o Acquire::Retries=0 download-file "${url%/}/dists/trixie/InRelease" "$to/InRelease" \
		>"$to/log" 2>&1 ||
		why=$(sed -nE '/resol|connect|unreachable|timed out/{s/^ +//p;q}' "$to/log")
	rm -rf "$to"
	[[ -z $why ]] || die "nothing can be fetched from $url: is there a network?" "$why" \
		"for another mirror: RUST_FUSE_MIRROR=URL; a proxy: http_proxy=, or apt's Acquire::http::Proxy"
}

# apt's proxy settings, as options for mmdebstrap: it reads none of the machine's own configuration.
proxy_options() {
	local proto value
	command -v apt-config >/dev/null || return 0
	for proto in http https; do
		value=$(apt-config dump --format '%v' "Acquire::$proto::Proxy" 2>/dev/null || true)
		[[ -z $value ]] || echo "--aptopt=Acquire::$proto::Proxy \"$value\""
	done
}
