package schemas_test

import (
	"strings"
	"testing"

	"otklik/schemas"
)

// yearOfTalk is a year of two million mentions of three brands on five platforms, two of which have pairs for threads: a tenth are complaints,
// two in five are replies, and every twentieth is an answer of a brand, one in a hundred of these with a breach.
//
//nolint:dupword // columns
const yearOfTalk = `
INSERT INTO {s}.mentions (brand, published_at, platform, item_id, version_id, kind, role, label, complaint, approved, answer, author_id, customer_id, thread, paired, parent_id,
	root_id, text, url, breach_rules, breach_versions, breach_excerpts, received_at, source_topic, partition, first_position, position)
SELECT ['alpha', 'beta', 'gamma'][1 + talk % 3], at, ['twitter', 'vk', 'telegram', 'mastodon', 'reddit'][1 + talk % 5] AS pl, toString(number), 'v',
	if(reply, 'comment', 'post'), if(own, 'own', 'customer'), if(angry, 'negative', 'neutral'), angry, own, own,
	if(own, 'desk', toString(who)), toString(if(own, who_before, who)), if(paired, concat(pl, ':', toString(if(own, who_before, who))), concat(pl, ':', toString(talk))), pl IN ('twitter', 'mastodon') AS paired,
	if(reply, toString(number - 1), ''), if(reply AND NOT paired, toString(talk * 10), ''), repeat('a word of a post ', 6), concat('https://example.com/', toString(number)),
	if(leaks, ['phone_number'], []), if(leaks, [0], []), if(leaks, ['call me at ...'], []), now64(3), 'firehose.x', number % 8, number, number
FROM (SELECT number, intDiv(number, 10) AS talk, number % 10 > 5 AS reply, number % 20 = 19 AS own, NOT own AND cityHash64(number) % 10 = 0 AS angry, number % 2000 = 19 AS leaks,
	now64(3) - toIntervalMillisecond(intDiv((1999999 - number) * 31536000000, 2000000)) AS at, cityHash64(number, 6) % 300000 AS who, cityHash64(number - 1, 6) % 300000 AS who_before
	FROM numbers(2000000))`

// BenchmarkConduct measures the views of contagion and compliance on a year of data, over a week and over all of it:
//
//	go test ./schemas -run '^$' -bench Conduct -benchtime 3x
func BenchmarkConduct(b *testing.B) {
	c := connect(b)
	migrate(b, c, schemas.Options{})
	for _, s := range []string{strings.ReplaceAll(yearOfTalk, "{s}", schemas.Store(c.Database())), "OPTIMIZE TABLE " + schemas.Store(c.Database()) + ".mentions FINAL"} {
		if err := c.Exec(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
	for _, q := range []struct{ name, sql string }{
		{"threads of a week", "SELECT count(), sum(joined), sum(answered) FROM contagion WHERE brand = 'alpha' AND opened_at > now() - INTERVAL 7 DAY"},
		{"threads of a week, by brand and range", "SELECT count(), sum(joined), sum(answered) FROM contagion_of(brand = 'alpha', since = now64(3, 'UTC') - INTERVAL 7 DAY, until = now64(3, 'UTC'))"},
		{"threads of a day, by brand and range", "SELECT count(), sum(joined), sum(answered) FROM contagion_of(brand = 'alpha', since = now64(3, 'UTC') - INTERVAL 1 DAY, until = now64(3, 'UTC'))"},
		{"threads of a year", "SELECT count(), sum(joined), sum(answered) FROM contagion"},
		{"days of a month", "SELECT sum(threads), sum(joined), sum(answered) FROM contagion_1d WHERE brand = 'alpha' AND day > today() - 30"},
		{"breaches of a week", "SELECT count() FROM compliance WHERE published_at > now() - INTERVAL 7 DAY"},
		{"breaches of a year", "SELECT count() FROM compliance"},
		{"compliance of a month", "SELECT sum(compliant) / sum(answers) FROM compliance_1d WHERE brand = 'alpha' AND day > today() - 30"},
		{"compliance of a year", "SELECT sum(compliant) / sum(answers) FROM compliance_1d"},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				rows, err := c.Strings(b.Context(), strings.Replace(q.sql, "FROM ", "FROM "+c.Database()+".", 1))
				if err != nil {
					b.Fatal(err)
				}
				if rows[0][0] == "0" {
					b.Fatal("the query finds nothing")
				}
				b.Log(rows)
			}
		})
	}
}
