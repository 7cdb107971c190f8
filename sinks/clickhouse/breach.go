package clickhouse

import (
	"fmt"
	"slices"

	"otklik/stream"
)

// breachColumns are the columns of mentions that only an answer which broke a rule of communication fills.
var breachColumns = []column[stream.MentionRow]{
	plain("breach_rules", func(r *stream.MentionRow) []string {
		return breaches(r, func(b *stream.Breach) string { return b.Rule })
	}),
	plain("breach_versions", func(r *stream.MentionRow) []int64 {
		return breaches(r, func(b *stream.Breach) int64 { return int64(b.Version) })
	}),
	plain("breach_excerpts", func(r *stream.MentionRow) []string {
		return breaches(r, func(b *stream.Breach) string { return b.Excerpt })
	}),
}

// breaches returns one part of all breaches.
func breaches[T any](r *stream.MentionRow, part func(*stream.Breach) T) []T {
	out := make([]T, len(r.Breaches))
	for i := range r.Breaches {
		out[i] = part(&r.Breaches[i])
	}
	return out
}

func withoutExcerpts(list []stream.Breach) []stream.Breach {
	list = slices.Clone(list)
	for i := range list {
		list[i].Excerpt = ""
	}
	return list
}

// storedBreach are the values of breachColumns as they are read.
type storedBreach struct {
	rules    []string
	versions []int64
	excerpts []string // empty once the retention of texts has passed
}

// to sets what a row of mentions holds of its breaches, and what its newest version breaks.
func (s *storedBreach) to(m *stream.MentionRow) error {
	if len(s.rules) != len(s.versions) || len(s.excerpts) != len(s.rules) && len(s.excerpts) != 0 {
		return fmt.Errorf("%d breaches, %d versions, %d excerpts", len(s.rules), len(s.versions), len(s.excerpts))
	}
	for i, rule := range s.rules {
		b := stream.Breach{Rule: rule, Version: stream.Time(s.versions[i])}
		if len(s.excerpts) > 0 {
			b.Excerpt = s.excerpts[i]
		}
		m.Breaches = append(m.Breaches, b)
		if b.Version == m.Item.EditedAt {
			m.Violations = append(m.Violations, rule)
			m.Excerpt = b.Excerpt
		}
	}
	return nil
}
