#!/usr/bin/env bash
# Runs the tests of packages and prints what `go test -json` prints, for one summary by gotestsum:
#
#   gotestsum --raw-command -- deploy/tools/gotest.sh ./...
#
# The race detector makes a test five to thirty times slower, so it runs where it can find something. Without it run packages of which no
# file, tests included, starts a goroutine or a server or names a lock, and the tests in calm, whatever their package: they run in one
# goroutine, kill other processes, train models, measure the heap, or compare figures of engines or clients that other tests run under the
# detector. A new package or test is raced unless it is one of these.
set -euo pipefail

go=${GO:-go}
slow=' otklik/cmd/otklik otklik/cmd/otklik/internal/enginetest otklik/stream/spike ' # they take longest: they begin first
calm='TornFlush|Corrections|AReplayIsAnsweredOtherwise|Pairs|Pseudonyms|RejectedRows|MemoryStaysBounded|ClaimStory' # the engine
calm+='|Shards' # the engine of TestEngineShowsTheTruth and of TestLettersAreErased, whose tables are on two servers
calm+='|Kill|KillClickHouse|KillDemo|KillAmongCorrections|DashboardsOnData|EveryCommandOfTheDocumentsRuns|SentimentAdapt' # the program
calm+='|ReplayGoesOnBehindALineThatIsNoRecord|DecodeLongLine' # lines of many megabytes; replay and decode of the tests beside them
calm+='|AdaptLearnsCorrections|AdaptRefusesNoise|Calibrate' # the model
calm+='|RejectedRowOfManyBlocks' # the client of TestRejectedRow and TestConcurrentFlushes
calm+='|EvaluateAgainstModel|ClockAgainstMinutes|BookAgainstModel|ClockBetween|ClockAddsUp' # care
calm+='|Hostile|IdentitiesAreBounded|IdentitiesOfCutRecords|ManyItemsOfOneInclude|Text' # the formats of the platforms
calm+='|MentionIsTheSchemasMessage|PaneIsTheSchemasMessage' # the messages between stages
calm="^Test($calm)\$"
concurrent='\bgo func|\bgo [[:alpha:]][[:alnum:]_.]*\(|\.Parallel\(|"sync"|"sync/atomic"|errgroup|"net/http|embeddedtest|kafkatest'

failed=0
tests() {
	# Without the paths of the sources a fresh clone finds in the cache what another one has compiled; go vet is a part of `make lint`.
	"$go" test -json -shuffle=on -timeout=18m -trimpath -vet=off -ldflags=-w "$@" || failed=1
}

if ! command -v "$("$go" env CC)" >/dev/null; then
	echo "make test: no C compiler (go env CC) was found; the tests run without the race detector. Install gcc to have it." >&2
	CGO_ENABLED=0 tests "$@"
	exit "$failed"
fi

# Lists separated by blanks: no package has one in its path.
raced='' unraced='' both=''
while read -r package folder; do
	first=''
	case $slow in *" $package "*) first=1 ;; esac
	if ! ls "$folder"/*_test.go >/dev/null 2>&1 || ! grep -qE "$concurrent" "$folder"/*.go; then
		if [ -n "$first" ]; then unraced=" $package$unraced"; else unraced+=" $package"; fi
		continue
	fi
	if [ -n "$first" ]; then raced=" $package$raced"; else raced+=" $package"; fi
	if grep -qE "^func ${calm:1:-1}\(" "$folder"/*_test.go; then
		both+=" $package"
	fi
done < <("$go" list -f '{{.ImportPath}} {{.Dir}}' "$@")

# shellcheck disable=SC2086 # the lists are meant to be split
{
	if [ -n "$raced" ]; then CGO_ENABLED=1 tests -race -skip "$calm" $raced; fi
	if [ -n "$unraced" ]; then CGO_ENABLED=0 tests $unraced; fi
	if [ -n "$both" ]; then CGO_ENABLED=0 tests -run "$calm" $both; fi
}
exit "$failed"
