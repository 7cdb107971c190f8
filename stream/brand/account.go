package brand

import (
	"strings"

	"otklik/stream"
)

// official is an account with its brand.
type official struct {
	brand   int32
	account *Account
}

// accountIndex finds the official accounts of one platform by lower-case id and handle.
type accountIndex struct {
	byID, byName map[string][]official
}

func indexAccounts(c *Catalogue) map[stream.Platform]*accountIndex {
	index := make(map[stream.Platform]*accountIndex, len(stream.Platforms))
	for i := range c.Brands {
		for platform, accounts := range c.Brands[i].Accounts {
			x := index[platform]
			if x == nil {
				x = &accountIndex{byID: map[string][]official{}, byName: map[string][]official{}}
				index[platform] = x
			}
			for j := range accounts {
				o := official{brand: int32(i), account: &accounts[j]}
				if id := strings.ToLower(accounts[j].ID); id != "" {
					x.byID[id] = append(x.byID[id], o)
				}
				if name := foldHandle(accounts[j].Name); name != "" {
					x.byName[name] = append(x.byName[name], o)
				}
			}
		}
	}
	return index
}

// lookup returns what the platform's index knows about an account. An id decides if the index has it or the entry with
// the handle has an id of its own: handles change hands, ids do not.
func (x *accountIndex) lookup(a *stream.Account, s *Scratch) []official {
	if x == nil {
		return nil
	}
	if a.ID != "" {
		if list := x.byID[string(s.lower(a.ID))]; list != nil {
			return list
		}
	}
	if a.Name == "" {
		return nil
	}
	list := x.byName[string(s.lower(strings.TrimPrefix(a.Name, "@")))]
	if a.ID != "" {
		for _, o := range list {
			if o.account.ID != "" {
				return nil // somebody else who bears the handle now
			}
		}
	}
	return list
}

// lower lower-cases a handle or id without allocating.
func (s *Scratch) lower(name string) []byte {
	s.name = s.name[:0]
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		} else if c >= 0x80 {
			return append(s.name[:0], strings.ToLower(name)...)
		}
		s.name = append(s.name, c)
	}
	return s.name
}
