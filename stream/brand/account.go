package brand

import (
	"strings"
	"unicode/utf8"

	"otklik/stream"
)

// official is an account with its brand.
type official struct {
	brand   int32
	account *Account
}

// accountIndex finds the official accounts of one platform by lower-case id and handle.
type accountIndex struct {
	byID, byName accountList
}

// accountList are accounts by a lower-case key. Nearly all accounts of a stream are nobody's, and most of them are told by length and last
// letter.
type accountList struct {
	byKey map[string][]official
	marks uint64 // of the keys, as a set
}

func (l *accountList) add(key string, o official) {
	l.byKey[key] = append(l.byKey[key], o)
	l.marks |= 1 << mark(key)
}

func (l *accountList) of(key string) []official {
	if key == "" || l.marks>>mark(key)&1 == 0 {
		return nil
	}
	return l.byKey[key]
}

// mark returns a number below 64; key is not empty.
func mark(key string) uint8 { return (uint8(len(key))*7 + key[len(key)-1]) % 64 }

func indexAccounts(c *Catalogue) map[stream.Platform]*accountIndex {
	index := make(map[stream.Platform]*accountIndex, len(stream.Platforms))
	for i := range c.Brands {
		for platform, accounts := range c.Brands[i].Accounts {
			x := index[platform]
			if x == nil {
				x = &accountIndex{byID: accountList{byKey: map[string][]official{}}, byName: accountList{byKey: map[string][]official{}}}
				index[platform] = x
			}
			for j := range accounts {
				o := official{brand: int32(i), account: &accounts[j]}
				if id := strings.ToLower(accounts[j].ID); id != "" {
					x.byID.add(id, o)
				}
				if name := foldHandle(accounts[j].Name); name != "" {
					x.byName.add(name, o)
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
		if list := x.byID.of(s.lower(a.ID)); list != nil {
			return list
		}
	}
	if a.Name == "" {
		return nil
	}
	list := x.byName.of(s.lower(strings.TrimPrefix(a.Name, "@")))
	if a.ID != "" {
		for _, o := range list {
			if o.account.ID != "" {
				return nil // somebody else who bears the handle now
			}
		}
	}
	return list
}

// lower lower-cases a handle or id without allocating. What it returns is valid until the next call.
func (s *Scratch) lower(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return s.lowered(name)
		}
	}
	return name
}

func (s *Scratch) lowered(name string) string {
	s.name = s.name[:0]
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c >= utf8.RuneSelf:
			return strings.ToLower(name)
		}
		s.name = append(s.name, c)
	}
	return view(s.name)
}

// index returns what is known of the accounts of a platform; nil if nothing is.
func (m *Matcher) index(p stream.Platform, s *Scratch) *accountIndex {
	if s.accounts == nil || s.platform != p || s.matcher != m {
		s.begin(m)
		s.platform, s.accounts = p, m.accounts[p]
	}
	return s.accounts
}
