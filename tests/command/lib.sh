# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# lib.sh - what the tests of the command share; each of them reads it first.
#
# $PABAL is the command under test, $PABAL_DIR a directory of objects of our own (both are made up here if ctest did not set them), $work
# a directory for other files. A check says what it checked; the first one that fails ends the test with 1. Nothing here waits for a
# time to pass: until_so looks until something is so, and ctest's limit finds what hangs.
set -u

PABAL=${PABAL:-${PABAL_BUILD_DIR:-build/dev}/tools/pabal}
[ -x "$PABAL" ] || {
	echo "no command at '$PABAL': set PABAL, or PABAL_BUILD_DIR" >&2
	exit 1
}
own_dir=
if [ -z "${PABAL_DIR-}" ]; then
	own_dir=$(mktemp -d /dev/shm/pabal-test.XXXXXX) || exit 1
	PABAL_DIR=$own_dir
	export PABAL_DIR
fi
work=$(mktemp -d) || exit 1
children=

# Every end is a tidy one: children by their pid, then files.
tidy() {
	for child in $children; do
		kill -9 "$child" 2>/dev/null
	done
	wait
	rm -rf "$work" ${own_dir:+"$own_dir"}
}
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

ok() {
	echo "ok: $*"
}

pabal() {
	"$PABAL" "$@"
}

# child PID: a background process that must not outlive the test.
child() {
	children="$children $1"
}

# is "WHAT" GOT WANTED
is() {
	[ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"
	ok "$1"
}

# same "WHAT" FILE FILE
same() {
	cmp -s "$2" "$3" || fail "$1: $2 and $3 differ ($(wc -c <"$2") and $(wc -c <"$3") bytes)"
	ok "$1"
}

# ends "WHAT" STATUS PATTERN COMMAND...: it ends with STATUS and says PATTERN on standard error, in one line if it is not about usage.
ends() {
	what=$1 wanted=$2 pattern=$3
	shift 3
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	[ "$got" -eq "$wanted" ] || fail "$what: status $got, wanted $wanted; it said: $(cat "$work/err")"
	grep -q -e "$pattern" "$work/err" || fail "$what: nothing like '$pattern' in: $(cat "$work/err")"
	if [ "$wanted" -ne 2 ] && [ "$wanted" -ne 0 ] && [ "$(wc -l <"$work/err")" -ne 1 ]; then
		fail "$what: not one line: $(cat "$work/err")"
	fi
	ok "$what"
}

# value NAME KEY: one member of "pabal show --json NAME".
value() {
	pabal show --json "$1" | python3 -c 'import json, sys; value = json.load(sys.stdin).get(sys.argv[1]); print(len(value) if type(value) is list else value)' "$2"
}

# until_so "WHAT" COMMAND...: look again until it is so.
until_so() {
	what=$1
	shift
	until "$@"; do
		sleep 0.02
	done
	ok "$what"
}

has_value() {
	[ "$(value "$1" "$2")" = "$3" ]
}
