package dashboards

// Colours that people with a colour-vision deficiency can tell apart (Okabe and Ito, "Color Universal Design", 2008). Good is
// blue, bad is vermilion: nothing relies on red against green.
const (
	colourGood    = "#0072B2"
	colourNeutral = "#8C8C8C"
	colourBad     = "#D55E00"
	colourWarn    = "#E69F00"
	colourMark    = "#CC79A7"
	colourLight   = "#56B4E9"
	colourPlain   = "text"
	colourNone    = "transparent"
)

// Units of Grafana that Otklik uses; unitPoints is a word of the catalogue.
const (
	unitCount   = "short"
	unitShare   = "percentunit"
	unitSeconds = "s"
	unitText    = "string"
	unitTime    = "dateTimeAsIso"
	unitPoints  = "points"
)

// step is a threshold: from this value on the colour holds.
type step struct {
	from   float64
	colour string
}

// style is what one column of a query looks like, everywhere.
type style struct {
	unit     string
	decimals int    // digits after the point; -1 leaves it to Grafana
	base     string // colour below the first step, or of the line; "" takes the palette
	steps    []step
	scale    bool     // the column is a share on an axis from 0 to 1
	values   []string // values that the catalogue words ("column.value")
	empty    bool     // the empty text means something, which the catalogue words ("column.empty"); else it is no value
	width    float64  // of the column in a table, pixels; 0 is automatic
	link     string   // address behind a cell
	cell     bool     // thresholds colour the background of the cell
	dashed   bool
	below    string // the area down to the line of this column is filled: a band of uncertainty
	bound    bool   // a bound of such a band: no line, not in legend and tooltip
}

func count(colour string) style { return style{unit: unitCount, base: colour} }

func share(colour string) style {
	return style{unit: unitShare, decimals: 1, base: colour, scale: true}
}

// upward is a figure that is better the higher it is.
func upward(unit string, decimals int, warn, good float64) style {
	return style{unit: unit, decimals: decimals, base: colourBad, steps: []step{{warn, colourWarn}, {good, colourGood}}}
}

// downward is a figure that is better the lower it is.
func downward(unit string, decimals int, warn, bad float64) style {
	return style{unit: unit, decimals: decimals, base: colourGood, steps: []step{{warn, colourWarn}, {bad, colourBad}}}
}

func bound(below string) style {
	return style{unit: unitShare, decimals: 1, bound: true, below: below, scale: true}
}

var (
	plainText = style{unit: unitText}
	postLink  = style{unit: unitText, width: 90, link: "${__value.raw}"}
	moment    = style{unit: unitTime, width: 180}
)

const minute, hour, day = 60, 3600, 86400

// styles has every column that a query of a panel may return.
var styles = map[string]style{
	// Sentiment.
	"loyal_share":    {unit: unitShare, decimals: 1, base: colourBad, steps: []step{{0.4, colourWarn}, {DefaultTarget / 100.0, colourGood}}, scale: true},
	"loyal_growth":   upward(unitPoints, 1, -1, 0),
	"target_gap":     upward(unitPoints, 1, -3, 0),
	"net_sentiment":  upward(unitShare, 1, -0.1, 0.1),
	"net_now":        {unit: unitShare, decimals: 1, base: colourGood},
	"net_previous":   {unit: unitShare, decimals: 1, base: colourNeutral, dashed: true},
	"positive_share": share(colourGood),
	"neutral_share":  share(colourNeutral),
	"negative_share": share(colourBad),
	"positive_low":   bound(""),
	"positive_high":  bound("positive_low"),
	"neutral_low":    bound(""),
	"neutral_high":   bound("neutral_low"),
	"negative_low":   bound(""),
	"negative_high":  bound("negative_low"),
	"loyal_low":      {unit: unitShare, decimals: 1},
	"loyal_high":     {unit: unitShare, decimals: 1},
	// Beside the raw shares: those with the errors of the classifier taken out.
	"adjusted_loyal":            {unit: unitText, base: colourMark, values: []string{"too_few", "weak_matrix", "misfit", "no_matrix"}},
	"adjusted_loyal_share":      share(colourMark),
	"adjusted_loyal_share_low":  bound(""),
	"adjusted_loyal_share_high": bound("adjusted_loyal_share_low"),
	"adjusted_state":            {unit: unitText, values: []string{"ok", "too_few", "weak_matrix", "misfit", "no_matrix"}, width: 190},
	"start":                     moment,
	"until":                     moment,
	"share_of_voice":            share(colourGood),
	"mentions":                  count(colourGood),
	"labelled":                  count(colourGood),
	"negatives":                 count(colourBad),
	"negatives_before": {
		unit: unitCount, base: colourNeutral,
	},
	"coverage":      upward(unitShare, 0, 0.3, 0.6),
	"mention_index": {unit: unitShare, decimals: 0},
	"few":           {unit: "none", values: []string{"0", "1"}, width: 130},
	"audience":      count(colourPlain),
	"worst_product": plainText,
	"growth_points": {unit: unitPoints, decimals: 1, base: colourBad, steps: []step{{0, colourGood}}, cell: true},
	"negative_growth": {
		unit: unitPoints, decimals: 1, base: colourGood, steps: []step{{1, colourWarn}, {5, colourBad}}, cell: true,
	},
	"negatives_growth": {unit: unitCount, base: colourGood, steps: []step{{1, colourWarn}, {10, colourBad}}, cell: true},

	// Alerts.
	"open_alerts":        downward(unitCount, 0, 1, 3),
	"opened_at":          moment,
	"cleared_at":         moment,
	"peak_at":            moment,
	"rule":               {unit: unitText, values: []string{"negativity_spike", "volume_spike"}},
	"baseline_negatives": {unit: unitCount, decimals: 1, base: colourPlain},
	"baseline_share":     {unit: unitShare, decimals: 1, base: colourPlain},
	"excess":             {unit: unitCount, decimals: 1, base: colourBad, width: 90},
	"word":               plainText,
	"voice":              plainText,
	"conversation":       plainText,
	"lasted":             {unit: unitSeconds, decimals: 1, base: colourPlain},

	// Care.
	"first_median":     downward(unitSeconds, 1, hour, 4*hour),
	"first_p90":        downward(unitSeconds, 1, 4*hour, day),
	"next_median":      downward(unitSeconds, 1, hour, 4*hour),
	"next_p90":         downward(unitSeconds, 1, 4*hour, day),
	"median_seconds":   {unit: unitSeconds, decimals: 1, base: colourGood},
	"p90_seconds":      {unit: unitSeconds, decimals: 1, base: colourWarn},
	"response_rate":    upward(unitShare, 0, 0.7, 0.9),
	"sla_attainment":   upward(unitShare, 0, 0.7, 0.9),
	"open_requests":    downward(unitCount, 0, 50, 200),
	"oldest_waiting":   downward(unitSeconds, 1, 4*hour, day),
	"waiting":          {unit: unitSeconds, decimals: 1, base: colourGood, steps: []step{{hour, colourWarn}, {day, colourBad}}, cell: true, width: 130},
	"waiting_since":    moment,
	"first_requests":   count(colourLight),
	"all_requests":     count(colourGood),
	"requests":         count(colourNeutral),
	"answered":         count(colourGood),
	"came_back":        downward(unitShare, 1, 0.1, 0.25),
	"wait_band":        {unit: unitText, values: []string{"1", "2", "3", "4", "5"}},
	"age_band":         {unit: unitText, values: []string{"1", "2", "3", "4", "5"}},
	"weekday":          {unit: unitText, values: []string{"1", "2", "3", "4", "5", "6", "7"}, width: 110},
	"hour_of_week":     {unit: unitSeconds, decimals: 0, base: colourGood, steps: []step{{hour, colourWarn}, {4 * hour, colourBad}}, cell: true},
	"waiting_negative": downward(unitCount, 0, 10, 50),

	// Posts.
	"published_at": moment,
	"priority":     {unit: unitCount, decimals: 1, base: colourPlain, width: 90},
	"severity":     {unit: unitCount, decimals: 0, base: colourNeutral, steps: []step{{1, colourWarn}, {2, colourBad}}, cell: true, width: 90},
	"severe":       downward(unitCount, 0, 5, 20),
	"severity_0":   count(colourNeutral),
	"severity_1":   count(colourLight),
	"severity_2":   count(colourWarn),
	"severity_3":   count(colourBad),
	"followers":    {unit: unitCount, base: colourPlain, width: 110},
	"products":     {unit: unitText, empty: true},
	"post":         plainText,
	"post_url":     postLink,
	"claim_state": {
		unit: unitText, values: []string{"none", "open", "accepted", "needs_details", "resolved", "rejected", "reopened"}, width: 150,
	},
	"audience_factor": {unit: unitCount, decimals: 1, base: colourPlain, width: 90},
	"severity_factor": {unit: unitCount, decimals: 2, base: colourPlain, width: 90},
	"product_factor":  {unit: unitCount, decimals: 1, base: colourPlain, width: 90},
	"blogger":         {unit: "none", values: []string{"0", "1"}, width: 90},

	// Claims.
	"claims":           count(colourBad),
	"open_claims":      downward(unitCount, 0, 5, 20),
	"bloggers":         downward(unitCount, 0, 1, 5),
	"not_received":     downward(unitCount, 0, 1, 10),
	"oldest_claim":     downward(unitSeconds, 0, 4*hour, day),
	"handed_over":      count(colourLight),
	"resolved":         count(colourGood),
	"received_share":   upward(unitShare, 0, 0.7, 0.9),
	"hand_over_median": downward(unitSeconds, 0, hour, 4*hour),
	"reopen_rate":      downward(unitShare, 1, 0.1, 0.25),
	"claim_stage":      {unit: unitText, values: []string{"1", "2", "3", "4", "5", "6", "7"}},
	"reached":          count(colourPlain),
	"department":       plainText,
	"handed_over_at":   moment,
	"resolved_at":      moment,

	// Rules of communication.
	"policy_compliance": upward(unitShare, 1, 0.95, 0.99),
	"unapproved":        downward(unitCount, 0, 1, 5),
	"confidential":      downward(unitCount, 0, 1, 1),
	"broken_at":         moment,
	"breach_rule": {
		unit: unitText, values: []string{"unapproved_account", "confidential_term", "phone_number", "contract_number", "internal_address"}, width: 170,
	},
	"account": plainText,
	"stands":  {unit: "none", values: []string{"0", "1"}, width: 120},
	"excerpt": plainText,

	// Communities.
	"community":       plainText,
	"members":         count(colourGood),
	"joined_members":  count(colourGood),
	"left_members":    count(colourBad),
	"growth_share":    {unit: unitShare, decimals: 2, base: colourBad, steps: []step{{0, colourGood}}},
	"advocacy":        count(colourGood),
	"advocacy_share":  {unit: unitShare, decimals: 1, base: colourPlain},
	"new_voices":      count(colourGood),
	"returning":       count(colourLight),
	"returning_share": {unit: unitShare, decimals: 0, base: colourPlain},

	// Incident.
	"authors":        count(colourPlain),
	"threads":        count(colourPlain),
	"joined":         count(colourPlain),
	"parallel_share": upward(unitShare, 0, 0.3, 0.6),
	"joined_before":  count(colourPlain),
	"joined_after":   count(colourPlain),
	"before_per_hour": {
		unit: unitCount, decimals: 1, base: colourPlain,
	},
	"after_per_hour": {unit: unitCount, decimals: 1, base: colourPlain},
	"join_median":    {unit: unitSeconds, decimals: 0, base: colourPlain},
	"phase":          {unit: unitText, values: []string{"1", "2"}},
	"per_hour":       {unit: unitCount, decimals: 1, base: colourPlain},
	"posts":          count(colourPlain),
	"last_at":        moment,
	"answers":        count(colourGood),

	// Engine.
	"freshness":    downward(unitSeconds, 1, 5*minute, 15*minute),
	"behind":       {unit: unitSeconds, decimals: 1, base: colourGood, steps: []step{{5 * minute, colourWarn}, {15 * minute, colourBad}}, cell: true},
	"flushed_ago":  {unit: unitSeconds, decimals: 1, base: colourPlain},
	"records":      count(colourGood),
	"read":         count(colourPlain),
	"unmatched":    count(colourNeutral),
	"duplicates":   count(colourWarn),
	"dead_letters": {unit: unitCount, base: colourNeutral, steps: []step{{1, colourBad}}}, // none is no bad news
	"redriven":     count(colourGood),
	"other":        count(colourPlain),
	"replayed":     count(colourLight),
	"late":         count(colourMark),
	"gaps":         downward(unitCount, 0, 1, 1),
	"balance":      {unit: "none", base: colourBad, steps: []step{{1, colourGood}}, values: []string{"0", "1"}},
	"pages":        count(colourPlain),
	"reason":       plainText,
	"silence":      {unit: unitSeconds, decimals: 1, base: colourGood, steps: []step{{2 * hour, colourWarn}, {6 * hour, colourBad}}, cell: true},
	"next_offset":  {unit: "none", decimals: 0, base: colourPlain},
	"watermark":    moment,
	"partition":    {unit: "none", decimals: 0, base: colourPlain, width: 90},
	"stage":        plainText,
	"topic":        plainText,
	"brand":        plainText,
	"platform":     {unit: unitText, empty: true},
	"product":      {unit: unitText, empty: true},
	"lag":          count(colourWarn),
	"flush_p99":    downward(unitSeconds, 2, 5, 30),
	"restore_p99":  downward(unitSeconds, 2, 30, 120),
	"retries":      {unit: "cps", decimals: 2, base: colourWarn},
	"texts":        {unit: "cps", decimals: 1, base: colourGood},
	"fallbacks":    {unit: "cps", decimals: 2, base: colourWarn},
	"request_p99":  downward(unitSeconds, 2, 1, 5),
	"left_alone":   downward(unitCount, 0, 1, 1),
}
