package sentiment

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Settings say from what a model is trained, and how. The shipped ones are settings.yaml.
type Settings struct {
	Optimiser OptimiserSettings  `yaml:"optimiser"`
	Vectors   VectorSettings     `yaml:"vectors"`
	Languages []LanguageSettings `yaml:"languages"`
	Files     []FileSettings     `yaml:"files"`
	Parts     []PartSettings     `yaml:"parts"`
}

// OptimiserSettings are those of the logistic regression and of L-BFGS.
type OptimiserSettings struct {
	Penalty    float64 `yaml:"penalty"` // L2, on the sum of the rows' losses
	Iterations int     `yaml:"iterations"`
	Tolerance  float64 `yaml:"tolerance"` // of the gradient's norm, relative to the first
	Memory     int     `yaml:"memory"`    // steps that L-BFGS remembers
	MinPosts   int     `yaml:"min_posts"` // a bucket that fewer posts use gets no weight
}

// LanguageSettings name the lexicons of a language, relative to the folder of the training files.
type LanguageSettings struct {
	Lang     string   `yaml:"lang"`
	Lexicons []string `yaml:"lexicons"`
}

// FileSettings describe a training file and how it is held out.
type FileSettings struct {
	File    string `yaml:"file"`
	Lang    string `yaml:"lang"`
	Name    string `yaml:"name"`
	Licence string `yaml:"licence"` // as its source states it
	// Boundary parts the file into two periods by the number at the end of a post's id: up to it, and beyond. Periods are
	// their names. Zero: blocks of posts are held out instead.
	Boundary int      `yaml:"boundary"`
	Periods  []string `yaml:"periods"`

	given bool // its posts come from elsewhere: there is no file to read
}

// PartSettings describe one part of the model: a language, a kind of text and the weight of each post of a file.
type PartSettings struct {
	Name    string             `yaml:"name"`
	Lang    string             `yaml:"lang"`
	Company bool               `yaml:"company"` // of texts about a brand
	Balance float64            `yaml:"balance"` // power of the inverse class frequency that weighs a row
	Sources map[string]float64 `yaml:"sources"`
	// Pseudo are files without labels: a first training says how likely each class is, and a second one learns that.
	Pseudo map[string]float64 `yaml:"pseudo"`
	// Softmax trains one regression of all classes instead of one of each class against the rest.
	Softmax bool `yaml:"softmax"`
	// Evidence is how far features are weighed by how well they tell the classes apart: 0 not at all, 1 by nothing else.
	Evidence float64 `yaml:"evidence"`
	// Smooth is the share of a label's certainty that goes to all classes alike, because the labels err (Szegedy et al., "Rethinking the
	// Inception Architecture for Computer Vision", 2016, section 7): 0 believes them.
	Smooth float64 `yaml:"smooth"`
	// MinPosts takes the place of the optimiser's; 0: that one counts.
	MinPosts int `yaml:"min_posts"`
}

//go:embed settings.yaml
var settingsYAML []byte

// Without leaves a training file out: nothing is learnt from it, word vectors included. Its error says which files there are, or which part
// would be left without any.
func (s *Settings) Without(file string) error {
	at := slices.IndexFunc(s.Files, func(f FileSettings) bool { return f.File == file })
	if at < 0 {
		names := make([]string, 0, len(s.Files))
		for _, f := range s.Files {
			names = append(names, f.File)
		}
		return fmt.Errorf("leave out %s: no such file in the settings; they have %s", file, strings.Join(names, ", "))
	}
	s.Files = slices.Delete(slices.Clone(s.Files), at, at+1)
	for i := range s.Parts {
		p := &s.Parts[i]
		delete(p.Sources, file)
		delete(p.Pseudo, file)
		if len(p.Sources) == 0 {
			return fmt.Errorf("leave out %s: the part %q has no other source; give it one in settings of your own", file, p.Name)
		}
	}
	return nil
}

// DefaultSettings returns the settings of the shipped model.
func DefaultSettings() (*Settings, error) { return ParseSettings(settingsYAML) }

// ParseSettings reads settings. Its error names all faults.
func ParseSettings(b []byte) (*Settings, error) {
	var s Settings
	if err := yaml.UnmarshalWithOptions(b, &s, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read the settings of the training: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("read the settings of the training: %w", err)
	}
	return &s, nil
}

func (s *Settings) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o := &s.Optimiser; o.Penalty <= 0 || o.Iterations < 1 || o.Tolerance <= 0 || o.Memory < 1 || o.MinPosts < 1 {
		fault("optimiser: penalty, iterations, tolerance, memory and min_posts must be positive")
	}
	if v := &s.Vectors; v.Dimensions < 0 || v.Dimensions > 0 && (v.Window < 1 || v.MinPosts < 1 || v.Rounds < 1) {
		fault("vectors: window, min_posts and rounds must be positive")
	}
	known := map[string]string{}
	for _, f := range s.Files {
		known[f.File] = f.Lang
		if languageOf(f.Lang) == unknownLanguage {
			fault("files: %s is in the language %q; this model knows %s", f.File, f.Lang, strings.Join(languageCodes[:], " and "))
		}
		if f.Boundary > 0 && len(f.Periods) != 2 {
			fault("files: %s has a boundary and needs the names of two periods", f.File)
		}
	}
	for _, l := range s.Languages {
		if languageOf(l.Lang) == unknownLanguage {
			fault("languages: %q is not one of %s", l.Lang, strings.Join(languageCodes[:], " and "))
		}
	}
	for _, p := range s.Parts {
		if p.Balance < 0 || p.Balance > 1 {
			fault("parts: %s has the balance %v, which must be between 0 (none) and 1 (classes weigh alike)", p.Name, p.Balance)
		}
		if p.Evidence < 0 || p.Evidence > 1 {
			fault("parts: %s has the evidence %v, which must be between 0 and 1", p.Name, p.Evidence)
		}
		if p.Smooth < 0 || p.Smooth >= 1 {
			fault("parts: %s has the smoothing %v, which must be at least 0 and less than 1", p.Name, p.Smooth)
		}
		if p.MinPosts < 0 {
			fault("parts: %s has min_posts %d, which must be positive, or 0 for that of the optimiser", p.Name, p.MinPosts)
		}
		if len(p.Sources) == 0 {
			fault("parts: %s has no sources", p.Name)
		}
		for _, m := range []map[string]float64{p.Sources, p.Pseudo} {
			for file, weight := range m {
				if known[file] != p.Lang || weight <= 0 {
					fault("parts: %s names %s, which must be one of files, in the language %q and with a positive weight", p.Name, file, p.Lang)
				}
			}
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // maps have no order
	return errors.Join(faults...)
}

// languageOf returns the language of a code, or unknownLanguage.
func languageOf(code string) language {
	for l, c := range languageCodes {
		if c == code {
			return language(l)
		}
	}
	return unknownLanguage
}
