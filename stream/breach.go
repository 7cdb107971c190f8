package stream

import (
	"cmp"
	"slices"
)

// Breach is one rule of communication that one version of an answer broke.
type Breach struct {
	Rule    string // key of the rule: unapproved_account, confidential_term, phone_number, …
	Version Time   // Item.EditedAt of the version, 0 for the original
	Excerpt string // of that version, with everything confidential masked
}

// BreachesOf returns what the version that m is breaks.
func BreachesOf(m *Mention) []Breach {
	if len(m.Violations) == 0 {
		return nil
	}
	list := make([]Breach, len(m.Violations))
	for i, rule := range m.Violations {
		list[i] = Breach{Rule: rule, Version: m.Item.EditedAt, Excerpt: m.Excerpt}
	}
	return list
}

// MergeBreaches returns the breaches of two sets of versions, sorted by version and rule, whatever the order of their delivery. It changes
// neither.
func MergeBreaches(a, b []Breach) []Breach {
	if len(b) == 0 {
		return a
	}
	list := slices.Concat(a, b)
	slices.SortStableFunc(list, func(x, y Breach) int { return cmp.Or(cmp.Compare(x.Version, y.Version), cmp.Compare(x.Rule, y.Rule)) })
	return slices.CompactFunc(list, func(x, y Breach) bool { return x.Version == y.Version && x.Rule == y.Rule })
}
