// Package claim decides which negative mentions are handed over to the care department, and follows what becomes of them. It is pure: no
// I/O, no clock.
//
// The priority of a negative mention by a customer is the product of three factors:
//
//   - audience: the factor of the highest band whose followers the author has; 1 below all bands and where the platform does not say,
//   - severity: (1 + s) × (1 + c) ÷ 2, where s is 0 to 3 by the words of the catalogue, and c how certain it is that the mention is
//     negative: the model's probability, or 1 where an analyst says so,
//   - product: the weight of the heaviest product that it names; 1 where it names none.
//
// From the threshold on, a mention of an own brand becomes a claim. Mentions of competitors have a priority, too, but nobody to be handed to.
package claim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"otklik/stream"
	"otklik/stream/brand"
)

// Band is a band of audiences: what counts from so many followers on.
type Band struct {
	Followers int64   `yaml:"followers"`
	Factor    float64 `yaml:"factor"`
}

// Config is what an operator may choose.
type Config struct {
	// Threshold is the priority from which on a mention becomes a claim; 0 opens no claims.
	Threshold float64 `yaml:"threshold"`
	// Bands are the audience bands, in growing order of followers and factors. Below the first the factor is 1.
	Bands []Band `yaml:"bands"`
	// Blogger is the number of followers from which on the author of a claim is called a blogger.
	Blogger int64 `yaml:"blogger"`
	// Department receives claims about products that Departments does not name.
	Department string `yaml:"department"`
	// Departments receive the claims whose heaviest product has one of these keys.
	Departments map[string]string `yaml:"departments"`
	// ReopenWithin is for how long after a resolution a message of the customer counts as reopening the claim.
	ReopenWithin time.Duration `yaml:"reopen_within"`
}

// DefaultConfig is what an empty file means.
func DefaultConfig() Config {
	return Config{
		Threshold:  4,
		Bands:      []Band{{1_000, 2}, {10_000, 3}, {100_000, 5}},
		Blogger:    10_000,
		Department: "care",
		// As long as a case stays open without a message.
		ReopenWithin: 72 * time.Hour,
	}
}

// maxFactor bounds thresholds and factors: what lies beyond is a slip of the pen.
const maxFactor = 1e6

const maxReopen = 366 * 24 * time.Hour

// Validate returns every fault of the configuration, joined. Each begins with the key that it is about.
func (c *Config) Validate() error {
	var errs []error
	number := func(x, low float64) bool { return x >= low && x <= maxFactor } // false for NaN
	if !number(c.Threshold, 0) {
		errs = append(errs, fmt.Errorf("threshold: %v is out of range; write a number from 0 (no claims) to %v", c.Threshold, float64(maxFactor)))
	}
	for i, b := range c.Bands {
		key := fmt.Sprintf("bands[%d]", i)
		if !number(b.Factor, 1) {
			errs = append(errs, fmt.Errorf("%s.factor: %v is out of range; write a number from 1 to %v", key, b.Factor, float64(maxFactor)))
		}
		if b.Followers < 1 {
			errs = append(errs, fmt.Errorf("%s.followers: %d is out of range; write from how many followers on the band holds", key, b.Followers))
		}
		if i > 0 && (b.Followers <= c.Bands[i-1].Followers || b.Factor < c.Bands[i-1].Factor) {
			errs = append(errs, fmt.Errorf("%s: does not lie above the band before it; sort the bands by followers, with factors that do not fall", key))
		}
	}
	if c.Blogger < 1 {
		errs = append(errs, fmt.Errorf("blogger: %d is out of range; write from how many followers on an author is called a blogger", c.Blogger))
	}
	if c.Department == "" {
		errs = append(errs, errors.New("department: is empty; name who receives claims about other products"))
	}
	if c.ReopenWithin < 0 || c.ReopenWithin > maxReopen {
		errs = append(errs, fmt.Errorf("reopen_within: %s is out of range; choose from 0s to %s", c.ReopenWithin, maxReopen))
	}
	for product, name := range c.Departments {
		if name == "" {
			errs = append(errs, fmt.Errorf("departments.%s: is empty; name who receives its claims", product))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// Policy gives mentions their priority. It never changes and may be used by several goroutines.
type Policy struct {
	cfg     Config
	own     map[string]bool
	weights map[string]map[string]float64 // by brand and product
}

// NewPolicy returns the policy of a valid configuration and a catalogue.
func NewPolicy(cfg Config, catalogue *brand.Catalogue) *Policy {
	p := &Policy{cfg: cfg, own: map[string]bool{}, weights: map[string]map[string]float64{}}
	for i := range catalogue.Brands {
		b := &catalogue.Brands[i]
		p.own[b.Key] = b.Own
		p.weights[b.Key] = map[string]float64{}
		for _, list := range [][]brand.Product{catalogue.Products, b.Products} {
			for j := range list {
				p.weights[b.Key][list[j].Key] = catalogue.Weight(b.Key, list[j].Key)
			}
		}
	}
	return p
}

// Own reports whether a brand is one of ours: only mentions of those become claims.
func (p *Policy) Own(brand string) bool { return p.own[brand] }

// Factors returns the factors of a mention: none for what is not a negative mention by a customer.
func (p *Policy) Factors(m *stream.MentionRow) stream.Factors {
	if m.Label != stream.Negative || m.Role != stream.Customer {
		return stream.Factors{}
	}
	certainty := float64(m.Scores.Negative)
	if _, said := m.Corrected(); said {
		certainty = 1
	}
	_, weight := p.product(&m.Mention)
	f := stream.Factors{Audience: p.Audience(m.Item.Followers), Severity: Severity(m.Severity, certainty), Product: weight}
	if p.own[m.Brand] {
		f.Threshold = p.cfg.Threshold
	}
	return f
}

// Audience returns the factor of an audience.
func (p *Policy) Audience(followers stream.Count) float64 {
	factor := 1.0
	for _, b := range p.cfg.Bands {
		if followers.Value() < b.Followers {
			break
		}
		factor = b.Factor
	}
	return factor
}

// Severity returns the factor of a severity from 0 to 3 and a certainty from 0 to 1: (1 + severity) × (1 + certainty) ÷ 2.
func Severity(severity uint8, certainty float64) float64 {
	if !(certainty >= 0) { // also what is no number
		certainty = 0
	}
	return float64(1+int(severity)) * float64((1+math.Min(certainty, 1))/2)
}

// product returns the heaviest product that a mention names, the first of equally heavy ones, and its weight; "" and 1 without one.
func (p *Policy) product(m *stream.Mention) (key string, weight float64) {
	weight = 1
	for _, name := range m.Products {
		w, known := p.weights[m.Brand][name]
		if !known {
			w = 1
		}
		if key == "" || w > weight {
			key, weight = name, w
		}
	}
	return key, weight
}

// Blogger reports whether an audience makes a blogger.
func (p *Policy) Blogger(followers stream.Count) bool {
	return followers.Known() && followers.Value() >= p.cfg.Blogger
}

// department returns who receives a claim about a product.
func (p *Policy) department(product string) string {
	if name, ok := p.cfg.Departments[product]; ok {
		return name
	}
	return p.cfg.Department
}
