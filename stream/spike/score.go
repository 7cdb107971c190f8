package spike

import "math"

// The scales at which a series is watched, in rows: an event of five minutes and one of four hours show at different ones.
var scales = [...]int{1, 4, 16, 48}

const longestScale = 48

// The constants of Scorer. Counts of rows are about five-minute rows: 288 are a day.
const (
	pseudoCount  = 1.0    // log(sum + pseudoCount): zero is a count, and the ratio of 2 to 1 says little
	levelMemory  = 2000.0 // rows over which the usual level is learnt
	spreadMemory = 4000.0 // rows over which its spread and its tail are learnt
	tail         = 0.05   // share of rows that lie above the tail threshold
	leastExcess  = 0.05   // least mean excess, so that a constant series does not divide by nothing

	gate         = 3.5    // surprise from which a row belongs to an episode
	quiet        = 96     // rows below the gate that end an episode: eight hours
	growth       = 0.6    // surprise by which an episode must grow to be told of again
	peakMemory   = 8000.0 // rows in which the weight of a former peak halves: four weeks
	priorRows    = 5760.0 // the prior of the rate of peaks weighs as much as this many rows
	priorRate    = 0.8 / 288
	priorPeaks   = 4.0 // the prior of their mean excess weighs as much as this many peaks
	priorExcess  = 0.9
	evenLogSpan  = 7.2 // log of the return period in rows whose score is 0.5: once in about five days
	warmUp       = 10  // rows by which the first estimates are damped
	fewestExcess = 20
	masking      = 7.0 // surprise from which a row teaches half as much about the tail
)

// level follows one scale of a series: its usual value, spread and upper tail, all of log counts.
type level struct {
	sum      float64
	rows     float64
	median   float64
	spread   float64 // mean absolute deviation, outliers clipped
	cut      float64 // residual that a share of `tail` of the rows exceeds
	excess   float64 // mean of the residual above cut, where it is above
	exceeded float64 // rows above cut
}

// surprise returns −log of the probability that the residual of a usual row is this high, 0 below the tail, and learns from the
// row afterwards. The tail is taken as exponential in log counts, that is, a power law in counts.
func (l *level) surprise(x float64) float64 {
	if l.rows == 0 {
		l.median, l.spread, l.cut, l.excess = x, 0.5, 1, 0.5
	}
	l.rows++
	r := x - l.median
	out := 0.0
	if r > l.cut {
		out = (r-l.cut)/math.Max(l.excess, leastExcess) - math.Log(tail)
	}

	// Median and cut move by fixed steps against the sign of the error, so no single row can pull them far.
	step := 2 * l.spread * math.Max(1/levelMemory, 1/(l.rows+warmUp))
	if r <= 0 {
		step = -step
	}
	l.median += step
	l.spread += (math.Min(math.Abs(r), 5*l.spread) - l.spread) * math.Max(1/spreadMemory, 1/(l.rows+warmUp))
	l.spread = math.Max(l.spread, leastExcess)
	cutStep := 8 * l.spread * math.Max(1/spreadMemory, 1/(l.rows+2*warmUp))
	if r > l.cut {
		l.cut += cutStep * (1 - tail)
		weight := 1.0
		if out > masking { // a long episode must not hide the next one
			weight = 0.5
		}
		l.excess += weight * (math.Min(r-l.cut, 4*l.excess) - l.excess) * math.Max(1/(spreadMemory*tail), 1/(l.exceeded+fewestExcess))
		l.exceeded++
	} else {
		l.cut -= cutStep * tail
	}
	return out
}

// Scorer scores the values of an evenly spaced series of counts one by one. A score depends on the values up to its own alone,
// takes constant time and memory, and is 0 except at the onset of an episode and where the episode grows much beyond
// what was told of it. The zero value is not ready: use NewScorer. It is not safe for concurrent use.
type Scorer struct {
	levels [len(scales)]level
	ring   [longestScale]float64 // the newest values
	row    int

	open float64 // row until which the episode lasts if nothing more comes; −1 for none yet
	told float64 // highest surprise of the episode that was scored
	peak float64 // highest surprise of the episode
	at   float64 // row of the peak

	// Former peaks, their weight halved every peakMemory rows.
	peaks   float64 // sum of the weights
	excess  float64 // weighted sum of their surprise above the gate
	decayed float64 // row that both stand for
}

// NewScorer returns a scorer that has seen nothing.
func NewScorer() *Scorer { return &Scorer{open: -1} }

// Add takes the next value, a count ≥ 0, and returns its score in [0, 1). 0 means that nothing begins here. Above 0 it is
// L ÷ (L + 7.2), where L is the natural logarithm of the number of rows in which an episode as high is expected once: 0.5
// is once in 1,340 rows, which is five days of five-minute rows.
func (s *Scorer) Add(value float64) float64 {
	span := s.logReturn(s.surprise(value))
	s.row++
	if span <= 0 {
		return 0
	}
	return span / (span + evenLogSpan)
}

// surprise joins the scales: the square of the mean root. An event has to show at several of them to come near the highest.
func (s *Scorer) surprise(value float64) float64 {
	roots := 0.0
	for i := range s.levels {
		l, width := &s.levels[i], scales[i]
		l.sum += value
		if s.row >= width {
			l.sum -= s.ring[(s.row-width)%longestScale]
		}
		full := float64(width) / float64(min(s.row+1, width)) // the first sums are scaled up
		roots += math.Sqrt(l.surprise(math.Log(max(l.sum, 0)*full + pseudoCount)))
	}
	s.ring[s.row%longestScale] = value
	if s.row%longestScale == longestScale-1 { // fractions must not add up rounding errors
		s.recount()
	}
	mean := roots / float64(len(s.levels))
	return mean * mean
}

// recount sums the windows anew from the ring.
func (s *Scorer) recount() {
	for i := range s.levels {
		sum := 0.0
		for back := range scales[i] {
			sum += s.ring[(s.row-back)%longestScale]
		}
		s.levels[i].sum = sum
	}
}

// logReturn follows the episodes and returns the logarithm of the return period, in rows, of a peak that is as high as x, if
// the row begins an episode or lets it grow; else 0. Peaks above the gate are taken as a Poisson process with exponential
// excesses (declustered peaks over threshold), with rate and mean excess learnt from the series and shrunk to a prior.
func (s *Scorer) logReturn(x float64) float64 {
	if x < gate {
		return 0
	}
	row := float64(s.row)
	if row > s.open {
		s.close(row)
	}
	s.open = row + quiet
	if x > s.peak {
		s.peak, s.at = x, row
	}
	if x <= s.told+growth {
		return 0
	}
	s.told = x
	s.decay(row)
	seen := (1 - math.Exp2(-(row+1)/peakMemory)) * peakMemory / math.Ln2
	rate := (priorRate*priorRows + s.peaks) / (priorRows + seen)
	mean := (priorExcess*priorPeaks + s.excess) / (priorPeaks + s.peaks)
	return (x-gate)/mean - math.Log(rate)
}

// close adds the peak of the episode that has ended to the former ones.
func (s *Scorer) close(row float64) {
	if s.peak > 0 {
		s.decay(row)
		weight := math.Exp2(-(row - s.at) / peakMemory)
		s.peaks += weight
		s.excess += weight * (s.peak - gate)
	}
	s.peak, s.told = 0, 0
}

func (s *Scorer) decay(row float64) {
	f := math.Exp2(-(row - s.decayed) / peakMemory)
	s.peaks *= f
	s.excess *= f
	s.decayed = row
}
