# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# lib.sh - what the tests of examples that talk with each other share. Nothing here waits for a time to pass.
set -u

examples=$PABAL_BUILD_DIR/examples
work=$(mktemp -d) || exit 1
children=

tidy() {
	for child in $children; do
		kill -9 "$child" 2>/dev/null
	done
	wait
	rm -rf "$work"
	pabal gc >/dev/null
}
trap tidy EXIT
trap 'exit 143' TERM

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# child PID: a background process that must not outlive the test.
child() {
	children="$children $1"
}

# is "WHAT" GOT WANTED
is() {
	[ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"
	echo "ok: $1"
}

# until_so "WHAT" COMMAND...: look again until it is so.
until_so() {
	what=$1
	shift
	until "$@"; do
		sleep 0.02
	done
	echo "ok: $what"
}
