# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# tree.sh - for the tests of the lint checks: a small tree of sources in $TREE, and what a check must say about it.
#
# A check that cannot fail proves nothing, so each is shown a sound tree that it must pass, and then one mistake after the other that it
# must name. A mistake is put into a fresh copy, so that only it can be the cause.
set -eu

TREE=$(mktemp -d)
trap 'rm -rf "$TREE"' EXIT
OUTPUT=$TREE/output
SCRIPTS=$PABAL_SOURCE_DIR/scripts

# file PATH: standard input becomes a file of the tree.
file() {
	mkdir -p "$TREE/$(dirname "$1")"
	cat >"$TREE/$1"
}

fail() {
	[ ! -e "$OUTPUT" ] || cat "$OUTPUT"
	echo "FAILED: $*"
	exit 1
}

# passes COMMAND...
passes() {
	"$@" >"$OUTPUT" 2>&1 || fail "this should have passed: $*"
	echo "ok: passes a sound tree"
}

# refuses TEXT COMMAND...: it must fail, and say TEXT.
refuses() {
	text=$1
	shift
	if "$@" >"$OUTPUT" 2>&1; then
		fail "this should have been refused with '$text': $*"
	fi
	grep -qF -- "$text" "$OUTPUT" || fail "this was refused, but not with '$text': $*"
	echo "ok: refuses: $text"
}
