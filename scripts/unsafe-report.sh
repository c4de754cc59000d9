#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Where unsafe code is. It belongs into rust/kapi (and the generated bindings of rust/bindings): anything
# elsewhere is printed and fails. Comments, doc comments and strings do not count. What must not compile is no part of
# the module, and rustc denies unsafe code there.
set -euo pipefail
cd "$(dirname "$0")/.."

find rust -path rust/compile_fail -prune -o -name '*.rs' -print | sort | xargs awk '
function code(line,	out) {
	# A good guess is enough: text that hides a token here would not compile or would not be formatted so.
	gsub(/\\"/, "", line)
	gsub(/"[^"]*"/, "\"\"", line)
	if (in_block) { if (!sub(/^.*\*\//, "", line)) return ""; in_block = 0 }
	sub(/\/\/.*/, "", line)
	gsub(/\/\*[^*]*\*\//, "", line)
	if (sub(/\/\*.*/, "", line)) in_block = 1
	return line
}
FNR == 1 {
	in_block = 0
	home = FILENAME ~ /^rust\/(kapi|bindings)(\/|\.rs)/
	split(FILENAME, part, "/")
	group = part[2] ~ /\.rs$/ ? "main" : part[2]
	# Tests are no part of the module: they stand at the end of a file, or have one of their own.
	attribute = tests = FILENAME ~ /\/(tests|testing|audit)\.rs$/
}
{
	line = code($0)
	if (line !~ /[^[:space:]]/) next
	if (attribute && line ~ /^(pub[^ ]* )?mod [a-z_]+ {/) tests = 1
	attribute = line ~ /^#\[cfg\(test\)\]$/
	if (!tests) { lines[group]++; total++ }
	if (line ~ /allow\(.*unsafe_code|expect\(.*unsafe_code/ && !home && FILENAME != "rust/main.rs") {
		print FILENAME ":" FNR ": lifts the ban on unsafe code: " $0; bad++
	}
	rest = line
	while (match(rest, /(^|[^[:alnum:]_])(unsafe([^[:alnum:]_]|$)|bindings::|static mut[^[:alnum:]_]|transmute)/)) {
		token = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		if (token ~ /unsafe/) { count[group]++; all++ }
		if (!home) { print FILENAME ":" FNR ": outside kapi: " $0; bad++ }
	}
}
END {
	if (!total) { print "no code found"; exit 1 }
	for (group in lines)
		if (count[group])
			printf "rust/%s: %d unsafe in %d lines of code, %.1f per 1000\n",
				group, count[group], lines[group], count[group] * 1000 / lines[group]
	printf "the module: %d unsafe in %d lines of code, %.1f per 1000\n", all, total, all * 1000 / total
	exit bad > 0
}'
