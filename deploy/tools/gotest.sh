#!/usr/bin/env bash
# Runs the tests of packages and prints what `go test -json` prints, for one summary by gotestsum:
#
#   gotestsum --raw-command -- deploy/tools/gotest.sh ./...
#
# The race detector makes a test five to eight times slower, so it runs where it can find something. Without it run packages of which no
# file, tests included, starts a goroutine or a server or names a lock, and of the engine's tests those in calm: they drive its processors
# from one goroutine, or they compare figures that concurrency does not touch and that others compare under the detector, or they measure
# the heap. A new package or test is raced unless it is one of these.
set -euo pipefail

go=${GO:-go}
engine=otklik/cmd/otklik/internal/enginetest
calm='^Test(TornFlush|Corrections|AReplayIsAnsweredOtherwise|Pairs|Pseudonyms|RejectedRows|MemoryStaysBounded)$'
concurrent='\bgo func|\bgo [[:alpha:]][[:alnum:]_.]*\(|\.Parallel\(|"sync"|"sync/atomic"|errgroup|"net/http|embeddedtest|kafkatest'

failed=0
tests() {
	"$go" test -json -shuffle=on -timeout=18m "$@" || failed=1
}

if ! command -v "$("$go" env CC)" >/dev/null; then
	echo "make test: no C compiler (go env CC) was found; the tests run without the race detector. Install gcc to have it." >&2
	CGO_ENABLED=0 tests "$@"
	exit "$failed"
fi

raced=() unraced=() engine_asked=
while read -r package folder; do
	if [ "$package" = "$engine" ]; then
		engine_asked=1
		raced=("$package" ${raced[@]+"${raced[@]}"}) # they take longest: they begin first
	elif ! ls "$folder"/*_test.go >/dev/null 2>&1 || ! grep -qE "$concurrent" "$folder"/*.go; then
		unraced+=("$package")
	else
		raced+=("$package")
	fi
done < <("$go" list -f '{{.ImportPath}} {{.Dir}}' "$@")

if [ ${#raced[@]} -gt 0 ]; then CGO_ENABLED=1 tests -race -skip "$calm" "${raced[@]}"; fi
if [ ${#unraced[@]} -gt 0 ]; then CGO_ENABLED=0 tests "${unraced[@]}"; fi
if [ -n "$engine_asked" ]; then CGO_ENABLED=0 tests -run "$calm" "$engine"; fi
exit "$failed"
