#!/bin/sh
# Feeds simulated days to the firehose topics: first the days before today, quickly, then every day that has ended, spread over the
# day after it, for ever. What has been played is remembered in $DATA; a day that was interrupted is played again, and its records
# are counted as the duplicates that they are.
#
#   BROKERS         host:port of the brokers, separated by commas
#   DAYS            how many days before today to begin with
#   EVENTS          records of a day
#   BACKFILL_SPAN   seconds in which a day of the past is played
#   LIVE_SPAN       seconds over which the last day is spread
set -eu

BROKERS=${BROKERS:-kafka:9092}
DAYS=${DAYS:-14}
EVENTS=${EVENTS:-40000}
BACKFILL_SPAN=${BACKFILL_SPAN:-60}
LIVE_SPAN=${LIVE_SPAN:-86400}
DATA=${DATA:-/data}
CATALOGUE=/etc/otklik/brands.yaml

pids=
stop() {
	# shellcheck disable=SC2086 # a list of process ids
	[ -z "$pids" ] || kill $pids 2>/dev/null || true
	exit 0
}
trap stop TERM INT

# play NUMBER SPAN plays the day that begins so many days after 1970-01-01, in SPAN seconds.
play() {
	day=$(date -u -d "@$(($1 * 86400))" +%Y-%m-%d)
	set -- "$1" "$2" --seed "$1" --events "$EVENTS" --day "$day" --out "$DATA/day"
	[ ! -f "$CATALOGUE" ] || set -- "$@" --catalogue "$CATALOGUE"
	span=$2
	shift 2
	rm -rf "$DATA/day"
	otklik simulate "$@"
	pids=
	for file in "$DATA"/day/*.jsonl; do
		lines=$(wc -l <"$file")
		[ "$lines" -gt 0 ] || continue
		rate=$(awk -v n="$lines" -v s="$span" 'BEGIN { printf "%.5f", n / s }')
		otklik replay --brokers "$BROKERS" --platform "$(basename "$file" .jsonl)" --rate "$rate" "$file" &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid"; done
	pids=
}

# Days begin at midnight in Moscow, three hours ahead of UTC all year.
today() { echo $((($(date -u +%s) + 10800) / 86400)); }

next=$(($(today) - DAYS))
[ ! -f "$DATA/next" ] || next=$(cat "$DATA/next")
while :; do
	now=$(today)
	if [ "$next" -ge "$now" ]; then
		sleep 60 &
		pids=$!
		wait "$pids"
		pids=
		continue
	fi
	span=$BACKFILL_SPAN
	[ "$next" -lt $((now - 1)) ] || span=$LIVE_SPAN
	play "$next" "$span"
	next=$((next + 1))
	echo "$next" >"$DATA/next"
done
