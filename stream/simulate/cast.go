package simulate

import (
	"strconv"

	"otklik/stream"
)

// nobody is the brand index of an account that is not official.
const nobody = -1

// account is somebody on one platform: a person or an official account.
type account struct {
	id        string // as the platform writes it and the decoder must give it back
	num       int64  // the number in id on platforms that count accounts; negative for VK communities and Telegram chats
	handle    string // without "@"
	name      string // display name
	followers int64
	brand     int // index into Simulator.brands, or nobody
	approved  bool
	automatic bool
}

// product is a product of the catalogue with a term that names it in a text.
type product struct {
	key   string
	terms []string
}

// troupe is one brand of the catalogue as the simulator plays it.
type troupe struct {
	key      string
	own      bool
	names    []string // aliases that may stand in any text
	products []product
	accounts map[stream.Platform][]account
	desk     desk
	weight   float64 // share of the chatter about brands
}

// desk is how a brand's care desk works.
type desk struct {
	answers float64     // share of the messages addressed to it that it answers
	median  stream.Time // of its answering times within its hours
	opens   stream.Time // time of day, Moscow
	closes  stream.Time
}

// desks are the habits of the own desk and of the competitors', in the order of the catalogue.
var desks = [...]desk{
	{answers: 0.78, median: 14 * stream.Minute, opens: 8 * stream.Hour, closes: 22 * stream.Hour},
	{answers: 0.62, median: 31 * stream.Minute, opens: 9 * stream.Hour, closes: 21 * stream.Hour},
	{answers: 0.47, median: 52 * stream.Minute, opens: 9 * stream.Hour, closes: 20 * stream.Hour},
}

// official returns the first account of the brand on the platform that may answer customers, or nil.
func (t *troupe) official(p stream.Platform) *account {
	for i := range t.accounts[p] {
		if a := &t.accounts[p][i]; a.approved && !a.automatic {
			return a
		}
	}
	return nil
}

// robot returns the brand's automatic responder on the platform, or nil.
func (t *troupe) robot(p stream.Platform) *account {
	for i := range t.accounts[p] {
		if a := &t.accounts[p][i]; a.automatic {
			return a
		}
	}
	return nil
}

// stranger returns an official account that is not approved for answers, or nil.
func (t *troupe) stranger(p stream.Platform) *account {
	for i := range t.accounts[p] {
		if a := &t.accounts[p][i]; !a.approved && !a.automatic {
			return a
		}
	}
	return nil
}

var firstNames = []string{
	"Анна", "Олег", "Мария", "Тимур", "Ирина", "Павел", "Светлана", "Артём", "Ольга", "Денис", "Юлия", "Рустам", "Ксения", "Илья",
	"Nina", "Max", "Vera", "Leo", "Kate", "Sam",
}

var lastNames = []string{
	"Ветрова", "Лугин", "Заречная", "Камышин", "Тихая", "Берег", "Полевая", "Дроздов", "Яшина", "Северный", "Клюева", "Мороз",
	"Harbour", "Field", "Stone", "Rivers",
}

var handleWords = []string{
	"quiet", "north", "river", "coffee", "lunar", "kefir", "tundra", "amber", "pixel", "zima", "vesna", "kotik", "taiga", "metro",
	"samovar", "falcon",
}

// person returns the n-th person of a platform. It is a function of its arguments alone, so that nobody is stored, and
// one to one in n.
func person(p stream.Platform, n uint64) account {
	h := mix(n*0x9e3779b97f4a7c15 + uint64(len(p))<<56 + 1)
	a := account{brand: nobody, followers: followersOf(h)}
	a.name = firstNames[h%uint64(len(firstNames))] + " " + lastNames[h>>8%uint64(len(lastNames))]
	var buf [48]byte
	word := handleWords[h>>16%uint64(len(handleWords))]
	a.handle = string(strconv.AppendUint(append(append(buf[:0], word...), '_'), n, 10))
	switch p {
	case stream.Twitter:
		a.num = 1_000_000_000 + int64(n)*7919
		a.id = strconv.FormatInt(a.num, 10)
	case stream.VK:
		a.num = 10_000_000 + int64(n)*13
		a.id = strconv.FormatInt(a.num, 10)
	case stream.Telegram:
		a.num = 5_000_000_000 + int64(n)*17
		a.id = strconv.FormatInt(a.num, 10)
	case stream.Facebook:
		a.num = 10_150_000_000_000_000 + int64(n)*97
		a.id = strconv.FormatInt(a.num, 10)
	case stream.Mastodon:
		a.num = 109_000_000_000_000_000 + int64(n)*31
		a.id = strconv.FormatInt(a.num, 10)
	case stream.YouTube:
		a.id = string(appendToken(append(buf[:0], "UC"...), h, 22))
	case stream.Bluesky:
		b := append(buf[:0], "did:plc:"...)
		b = appendBase32(b, mix(h+1), 12)
		a.id = string(appendBase32(b, h, 12))
		a.handle = ""
		a.name = ""
	case stream.Reddit:
		a.id = string(appendBase36(append(buf[:0], "t2_"...), 1_000_000+n))
	case stream.LiveJournal:
		a.id = a.handle
		a.name = ""
	case stream.Generic:
		a.id = string(strconv.AppendUint(append(buf[:0], "member-"...), n, 10))
	}
	return a
}

// followersOf draws a follower count from a Pareto distribution (most have a few hundred, one in some thousands is a
// blogger with over a hundred thousand).
func followersOf(h uint64) int64 {
	u := float64(mix(h+7)>>11+1) / (1 << 53) // in (0, 1]
	n := 40 / u                              // exponent 1: P(n > x) = 40/x
	if n > 3e6 {
		n = 3e6
	}
	return int64(n)
}
