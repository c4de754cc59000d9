# SPDX-License-Identifier: GPL-2.0
# Reads KTAP version 1 and prints one line per test: RESULT <tab> NAME <tab> REASON, where RESULT is pass, fail,
# skip or xfail. A test with subtests is not counted, unless it failed and none of them did. A plan that was
# not kept is a failed test named after it.

function flush_plan(depth,	d) {
	for (d in planned)
		if (d + 0 >= depth) {
			if (planned[d] != seen[d])
				add(depth, "fail", "plan", "planned " planned[d] " tests, saw " seen[d])
			delete planned[d]
			seen[d] = 0
		}
}

function add(depth, result, name, reason) {
	count++
	at[count] = depth; results[count] = result; names[count] = name; reasons[count] = reason
}

{ sub(/\r$/, "") }

/^ *1\.\.[0-9]+/ {
	depth = match($0, /[^ ]/) - 1
	plan = $1; sub(/^1\.\./, "", plan)
	planned[depth] = plan + 0; seen[depth] = 0
	next
}

/^ *# / { note = $0; sub(/^ *# /, "", note); next }

/^ *(not )?ok [0-9]+/ {
	depth = match($0, /[^ ]/) - 1
	line = substr($0, depth + 1)
	ok = line !~ /^not /
	sub(/^(not )?ok [0-9]+ *(- )?/, "", line)
	reason = ""
	if ((i = index(line, " # ")) > 0) { reason = substr(line, i + 3); line = substr(line, 1, i - 1) }
	else if (line ~ /^# /) { reason = substr(line, 3); line = "unnamed" }
	seen[depth]++
	flush_plan(depth + 1)
	# Tests deeper than this one that have no parent yet are its subtests.
	children = 0; failures = 0
	for (i = count; i > 0 && at[i] > depth; i--) {
		children++
		if (results[i] == "fail") failures++
		names[i] = line "." names[i]
		at[i] = depth
	}
	result = ok ? "pass" : "fail"
	if (ok && reason ~ /^SKIP/) result = "skip"
	if (ok && reason ~ /^XFAIL/) result = "xfail"
	if (result == "fail" && reason == "") reason = note
	if (!children || (result == "fail" && !failures)) add(depth, result, line, reason)
	note = ""
	next
}

END {
	flush_plan(0)
	if (!count) add(0, "fail", "output", "no test was run")
	for (i = 1; i <= count; i++) printf "%s\t%s\t%s\n", results[i], names[i], reasons[i]
}
