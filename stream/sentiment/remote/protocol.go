package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"unicode/utf8"

	"otklik/stream"
	"otklik/stream/brand"
	"otklik/stream/sentiment"
)

// The bounds of a response: more is not read.
const (
	maxResponse     = 4 << 10
	maxResponseText = 1 << 10
)

// maxDeviation is how far the sum of three probabilities may lie from 1: servers round them.
const maxDeviation = 0.02

var modelName = regexp.MustCompile(`^[A-Za-z0-9._:/@+-]{1,64}$`)

// ValidName reports whether a name can be that of an external classifier: up to 64 of the characters A-Z a-z 0-9 . _ : / @ + -.
func ValidName(name string) bool { return modelName.MatchString(name) }

// question is the body of a request.
type question struct {
	Texts []questionText `json:"texts"`
}

type questionText struct {
	Text   string   `json:"text"`
	Lang   string   `json:"lang,omitempty"`
	Brand  string   `json:"brand"`
	Target [][2]int `json:"target"`
	Others [][2]int `json:"others"`
}

// encode returns the body that asks about the requests.
func encode(requests []sentiment.Request) ([]byte, error) {
	q := question{Texts: make([]questionText, len(requests))}
	for i := range requests {
		r := &requests[i]
		q.Texts[i] = questionText{
			Text: r.Text, Lang: r.Lang, Brand: r.Brand, Target: codePoints(r.Text, r.Target.Spans), Others: codePoints(r.Text, r.Target.Others),
		}
	}
	return json.Marshal(&q)
}

// codePoints returns the spans, which count bytes, counted in code points of the text as JSON carries it: there every byte that
// is not UTF-8 becomes one U+FFFD. Spans beyond the text are cut.
func codePoints(text string, spans []brand.Span) [][2]int {
	out := make([][2]int, len(spans))
	for i, s := range spans {
		from := min(max(s.Start, 0), len(text))
		to := min(max(s.End, from), len(text))
		out[i][0] = utf8.RuneCountInString(text[:from])
		out[i][1] = out[i][0] + utf8.RuneCountInString(text[from:to])
	}
	return out
}

// answer is the body of a response.
type answer struct {
	Model   string         `json:"model"`
	Results []answerResult `json:"results"`
}

type answerResult struct {
	Label  string        `json:"label"`
	Scores *answerScores `json:"scores"`
}

// answerScores tells a score of 0 from one that is missing.
type answerScores struct {
	Positive *float64 `json:"positive"`
	Neutral  *float64 `json:"neutral"`
	Negative *float64 `json:"negative"`
}

// errInvalid is wrapped by what is wrong with a response. Its text never repeats what the server sent: that may be somebody's
// post.
var errInvalid = errors.New("the classifier's response is not as agreed")

// decode reads a response into results. name is the configured name of the classifier.
func decode(body []byte, name string, results []sentiment.Result) error {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("%w: no JSON of the documented form", errInvalid)
	}
	if len(a.Results) != len(results) {
		return fmt.Errorf("%w: %d results for %d texts", errInvalid, len(a.Results), len(results))
	}
	model := name
	if a.Model != "" {
		if !ValidName(a.Model) {
			return fmt.Errorf("%w: its model is not up to 64 letters, digits and . _ : / @ + -", errInvalid)
		}
		model += ":" + a.Model
	}
	out := make([]sentiment.Result, len(results)) // nothing of an invalid response is used
	for i := range a.Results {
		label, scores, err := a.Results[i].read()
		if err != nil {
			return fmt.Errorf("%w: result %d: %w", errInvalid, i, err)
		}
		out[i] = sentiment.Result{Label: label, Scores: scores, Model: model}
	}
	copy(results, out)
	return nil
}

func (r *answerResult) read() (stream.Label, stream.Scores, error) {
	label, ok := stream.ParseLabel(r.Label)
	if !ok {
		return 0, stream.Scores{}, errors.New("its label is not positive, neutral, negative or unlabelled")
	}
	if label == stream.Unlabelled {
		return label, stream.Scores{}, nil
	}
	if r.Scores == nil || r.Scores.Positive == nil || r.Scores.Neutral == nil || r.Scores.Negative == nil {
		return 0, stream.Scores{}, errors.New("a score is missing")
	}
	p := [3]float64{*r.Scores.Positive, *r.Scores.Neutral, *r.Scores.Negative}
	sum := 0.0
	for _, v := range p {
		if !(v >= 0 && v <= 1) { // NaN is neither
			return 0, stream.Scores{}, errors.New("a score is not between 0 and 1")
		}
		sum += v
	}
	if math.Abs(sum-1) > maxDeviation {
		return 0, stream.Scores{}, fmt.Errorf("its scores sum to %.3f", sum)
	}
	return label, stream.Scores{Positive: float32(p[0] / sum), Neutral: float32(p[1] / sum), Negative: float32(p[2] / sum)}, nil
}
