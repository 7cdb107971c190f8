package dashboards

// communities is for PR: who follows us, and who speaks for us?
func communities() board {
	const (
		pick   = "day >= toDate($__fromTime) AND day <= toDate($__toTime) AND {brand} AND {platform}"
		panes  = "{grain} AND $__timeFilter(start) AND {brand} AND {platform} AND product = ''"
		voices = "SELECT voice, max(published_at >= $__fromTime) AS now_here, max(published_at < $__fromTime) AS before_here FROM voices\n" +
			"WHERE published_at >= $__fromTime - {span} AND published_at <= $__toTime AND {brand} AND {platform} GROUP BY voice"
	)
	return board{
		key: "communities", from: "now-30d", refresh: "5m", quarters: true,
		variables: []variable{sourceVariable(), brandVariable(true), platformVariable()},
		panels: []panel{
			{key: "communities.members", kind: number, w: 6, h: 4, cols: []string{"members"}, def: "community_growth", sql: query(`
SELECT sum(members) AS members
FROM (SELECT brand, platform, account, argMaxIf(members_last, day, members_last IS NOT NULL) AS members FROM community_growth WHERE ` + pick + ` GROUP BY brand, platform, account)`)},
			{key: "communities.joined", kind: number, w: 6, h: 4, cols: []string{"joined_members"}, def: "community_growth", sql: query(`
SELECT sum(joined_count) AS joined_members FROM community_growth WHERE ` + pick)},
			{key: "communities.left", kind: number, w: 6, h: 4, cols: []string{"left_members"}, def: "community_growth", sql: query(`
SELECT sum(left_count) AS left_members FROM community_growth WHERE ` + pick)},
			{key: "communities.growth", kind: number, w: 6, h: 4, cols: []string{"growth_share"}, def: "community_growth", sql: query(`
SELECT (toInt64(sum(joined)) - toInt64(sum(gone))) / nullIf(sum(first), 0) AS growth_share
FROM (SELECT brand, platform, account, sum(joined_count) AS joined, sum(left_count) AS gone, argMinIf(members_first, day, members_first IS NOT NULL) AS first
      FROM community_growth WHERE ` + pick + ` GROUP BY brand, platform, account)`)},
			{key: "communities.advocacy", kind: number, w: 6, h: 4, cols: []string{"advocacy"}, def: "advocacy", sql: query(`
SELECT sum(advocacy) AS advocacy FROM panes WHERE ` + panes)},
			{key: "communities.advocacy_share", kind: number, w: 6, h: 4, cols: []string{"advocacy_share"}, def: "advocacy", sql: query(`
SELECT sum(advocacy) / nullIf(sum({mentions}), 0) AS advocacy_share FROM panes WHERE ` + panes)},
			{key: "communities.new_voices", kind: number, w: 6, h: 4, cols: []string{"new_voices"}, def: "mention", sql: query(`
SELECT countIf(now_here AND NOT before_here) AS new_voices FROM (` + voices + `)`)},
			{key: "communities.returning", kind: number, w: 6, h: 4, cols: []string{"returning_share"}, def: "mention", sql: query(`
SELECT countIf(now_here AND before_here) / nullIf(countIf(now_here), 0) AS returning_share FROM (` + voices + `)`)},

			{key: "communities.members_series", kind: lines, w: 12, h: 8, cols: []string{"members"}, byName: true, more: "community", def: "community_growth", sql: query(`
SELECT toDateTime(day, 'UTC') AS time, concat(brand, ' ', platform, ' ', account) AS community, assumeNotNull(members_last) AS members
FROM community_growth WHERE ` + pick + ` AND members_last IS NOT NULL
ORDER BY time, community`)},
			{key: "communities.moves", kind: bars, w: 12, h: 8, cols: []string{"joined_members", "left_members"}, def: "community_growth", sql: query(`
SELECT toDateTime(day, 'UTC') AS time, sum(joined_count) AS joined_members, sum(left_count) AS left_members
FROM community_growth WHERE ` + pick + ` GROUP BY time ORDER BY time`)},
			{key: "communities.advocacy_series", kind: bars, w: 12, h: 8, cols: []string{"advocacy"}, def: "advocacy", sql: query(`
SELECT $__timeInterval(start) AS time, sum(panes.advocacy) AS advocacy FROM panes WHERE ` + panes + ` GROUP BY time ORDER BY time`)},
			{key: "communities.voices_series", kind: bars, w: 12, h: 8, cols: []string{"new_voices", "returning"}, def: "mention", sql: query(`
SELECT time, countIf(time = begun) AS new_voices, count() - new_voices AS returning
FROM (SELECT arrayJoin(times) AS time, arrayMin(times) AS begun
      FROM (SELECT groupUniqArray($__timeInterval(published_at)) AS times FROM voices WHERE $__timeFilter(published_at) AND {brand} AND {platform} GROUP BY voice))
GROUP BY time ORDER BY time`)},
			{
				key: "communities.table", kind: rows, w: 24, h: 9, def: "community_growth",
				cols: []string{"brand", "platform", "community", "members", "joined_members", "left_members", "growth_share"},
				sql: query(`
SELECT brand, platform, account AS community, argMaxIf(members_last, day, members_last IS NOT NULL) AS members, sum(joined_count) AS joined_members,
    sum(left_count) AS left_members,
    (toInt64(joined_members) - toInt64(left_members)) / nullIf(argMinIf(members_first, day, members_first IS NOT NULL), 0) AS growth_share
FROM community_growth WHERE ` + pick + ` GROUP BY brand, platform, account ORDER BY members DESC, brand, platform, community LIMIT 100`),
			},
		},
	}
}
