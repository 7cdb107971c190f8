package window

import (
	"otklik/stream"
	"otklik/stream/prevalence"
)

// Windows are the lengths of the rolling windows.
var Windows = []stream.Time{5 * stream.Minute, stream.Hour, stream.Day}

// RollingKey names a row of the table rolling: the half-open window [At−Window, At), At on a full minute.
type RollingKey struct {
	Brand    string
	Platform stream.Platform // "" for all platforms together
	Window   stream.Time     // length in milliseconds, one of Windows
	At       stream.Time
}

// Share is a proportion with its 95 % Wilson score interval. All three are NaN when nothing was labelled.
type Share struct {
	Value, Low, High float64
}

// RollingRow is a row of the table rolling.
type RollingRow struct {
	RollingKey
	Counts
	PositiveShare, NeutralShare, NegativeShare Share               // of the labelled mentions
	LoyalShare                                 Share               // positive + neutral
	NetSentiment                               float64             // (positive − negative) ÷ labelled; NaN when nothing was labelled
	NetPolar                                   float64             // (positive − negative) ÷ (positive + negative); NaN when that is 0
	Adjusted                                   prevalence.Estimate // the same shares, the errors of the classifier taken out
	AdjustedBy                                 string              // name of the confusion matrix; "" without one
	ResponseMedian, ResponseP90                float64             // seconds, of the answered requests of the window; NaN when there is none
	Final                                      bool
	Revision                                   stream.Position // position in otklik.panes of the newest partial in it
}
