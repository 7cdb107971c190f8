package brand

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"otklik/stream"
)

// manyBrands returns a catalogue of the example and made-up brands, n in all.
func manyBrands(n int) *Catalogue {
	c := Example()
	r := rand.New(rand.NewPCG(1, 2))
	syllables := strings.Fields("ба ве гор дом жи зон кин лав мег нор пол рос сиб тел уни фин хол цен чай шум эко юг яр ар бел вол")
	latin := strings.Fields("al be cor dan el fin gro hol in jet kin lum med nor or pa qui ros sol tel uni ver wes xan yor zen")
	for i := len(c.Brands); i < n; i++ {
		cyr, lat := "", ""
		for range 2 + r.IntN(3) {
			cyr += syllables[r.IntN(len(syllables))]
			lat += latin[r.IntN(len(latin))]
		}
		c.Brands = append(c.Brands, Brand{
			Key: fmt.Sprintf("brand%d", i), Name: cyr, Aliases: []string{cyr + "л", lat + "q", "группа " + cyr},
			Vetoes:   []string{cyr + "л плаза"},
			Accounts: map[stream.Platform][]Account{stream.Twitter: {{ID: fmt.Sprint(9_000_000 + i), Name: lat + fmt.Sprint(i)}}},
		})
	}
	return c
}

// Texts of the usual lengths; their words begin like those of the made-up brands, so that the automaton goes deep.
var benchTexts = map[string]string{
	"140":      "Второй день на даче пропадает интернет от МТС, звонки через раз, поддержка молчит. @ru_mts что делать? Перейду к соседям https://t.co/Ab3dE",
	"140-miss": "Второй день на даче хорошая погода, солнце с утра и до вечера, соседи жарят рыбу, а мы собираем яблоки и варим варенье https://t.co/Ab3dEfg",
	"1000":     strings.Repeat("Второй день на даче пропадает свет, родные и соседи говорят, что авария на подстанции, а финансы кончились. ", 8) + "Спасибо МТС, хотя бы телефон работает, белые ночи и яркие звёзды, а холодильник уже не спасти. Верните свет, пожалуйста!",
}

func BenchmarkMatch(b *testing.B) {
	for _, brands := range []int{3, 1000} {
		m := newTestMatcher(b, manyBrands(brands))
		for _, name := range []string{"140", "140-miss", "1000"} {
			text := benchTexts[name]
			b.Run(fmt.Sprintf("brands=%d/text=%s", brands, name), func(b *testing.B) {
				var s Scratch
				it := post(text)
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					m.Match(it, &s)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
			})
		}
	}
}

func BenchmarkNewMatcher(b *testing.B) {
	c := manyBrands(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewMatcher(c); err != nil {
			b.Fatal(err)
		}
	}
}
