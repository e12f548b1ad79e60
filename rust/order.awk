# SPDX-License-Identifier: GPL-2.0
#
# Makes a linker script of rust/order: Rust's symbols have each segment of a path behind its length, C's are as they are.

function pattern(words,    count, i, j, parts, segments, all) {
	if ($1 ~ /^rfuse_helper_/)
		return $1
	all = "*"
	for (i = 1; i <= NF; i++) {
		segments = split($i, parts, "::")
		for (j = 1; j <= segments; j++)
			all = all length(parts[j]) parts[j]
		all = all "*"
	}
	return all
}

BEGIN { print "SECTIONS {\n\t.text.hot 0 : {" }
!/^(#|$)/ { print "\t\t*(.text." pattern() ")" }
END { print "\t}\n}" }
