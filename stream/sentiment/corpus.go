package sentiment

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"otklik/stream"
)

// post is a text as the trainer sees it.
type post struct {
	row     Row
	file    *FileSettings
	lang    language
	label   int // class, or −1 without a label
	fold    int // in which of the two turns it is held out; −1: in none
	buckets [tables][]uint32
	face    [faces]float32
	terms   []uint64
	target  *Target // where it is known; else that of the row
}

// targetOf returns the target of the post; it is valid until the next call.
func (p *post) targetOf(t *targeter) Target {
	if p.target != nil {
		return *p.target
	}
	return t.target(&p.row)
}

// corpus is the training files of one folder, read once.
type corpus struct {
	set      *Settings
	posts    []*post
	lexicons [languages]lexicon
	vectors  [languages]*vectors
}

// blockOfPosts is how many posts in a row are held out together, because neighbours in a file repeat each other.
const blockOfPosts = 200

// foldOf says in which turn a post is held out; n counts the posts of its file from 0.
func foldOf(f *FileSettings, id string, n int) int {
	if f.Boundary > 0 {
		number, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
		if err == nil && number > f.Boundary {
			return 1
		}
		return 0
	}
	switch n / blockOfPosts % 4 {
	case 0:
		return 0
	case 2:
		return 1
	default:
		return -1
	}
}

// readCorpus reads the files of the settings from dir.
func readCorpus(ctx context.Context, dir string, set *Settings, progress func(string, float64)) (*corpus, error) {
	c, err := readPosts(dir, set, progress)
	if err != nil {
		return nil, err
	}
	return c, c.prepare(ctx, progress)
}

// readPosts reads the files of the settings from dir; prepare comes next.
func readPosts(dir string, set *Settings, progress func(string, float64)) (*corpus, error) {
	c := &corpus{set: set}
	for i := range set.Files {
		f := &set.Files[i]
		if f.given {
			continue
		}
		rows, err := readAll(filepath.Join(dir, f.File))
		if err != nil {
			return nil, err
		}
		for n := range rows {
			p := &post{row: rows[n], file: f, lang: languageOf(f.Lang), label: -1, fold: -1}
			if rows[n].Label != stream.Unlabelled {
				p.label = classOf[rows[n].Label]
				p.fold = foldOf(f, rows[n].ID, n)
			}
			c.posts = append(c.posts, p)
		}
		progress("read the files", float64(i+1)/float64(len(set.Files)))
	}
	for _, l := range set.Languages {
		lex, err := readLexicons(dir, l.Lexicons)
		if err != nil {
			return nil, err
		}
		c.lexicons[languageOf(l.Lang)] = lex
	}
	return c, nil
}

// prepare extracts the features of the posts and makes the word vectors.
func (c *corpus) prepare(ctx context.Context, progress func(string, float64)) error {
	t, err := newTargeter()
	if err != nil {
		return err
	}
	var s Scratch
	for i, p := range c.posts {
		if i%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			progress("extract features", float64(i)/float64(len(c.posts)))
		}
		s.tokens.read(p.row.Text, p.targetOf(t))
		p.extract(&s, c.lexicons[p.lang])
	}
	progress("extract features", 1)
	if c.set.Vectors.Dimensions == 0 {
		return nil
	}
	for l := range languages {
		var texts [][]uint64
		for _, p := range c.posts {
			if p.lang == l {
				texts = append(texts, p.terms)
			}
		}
		step := languageCodes[l] + ": word vectors"
		c.vectors[l], err = wordVectors(ctx, texts, &c.set.Vectors, func(done float64) { progress(step, done) })
		if err != nil {
			return fmt.Errorf("make word vectors: %w", err)
		}
	}
	return nil
}

// extract lists the features of the tokens of s, which sums adds up when it classifies.
func (p *post) extract(s *Scratch, lex lexicon) {
	var face surface
	previous := uint64(startOfText)
	for i := range s.tokens.list {
		k := &s.tokens.list[i]
		b := s.tokens.buf[k.from:k.to]
		term := s.stems.term(k, b)
		p.terms = append(p.terms, term)
		p.buckets[termTable] = append(p.buckets[termTable], bucket(termTable, term))
		p.buckets[pairTable] = append(p.buckets[pairTable], bucket(pairTable, pair(previous, term)))
		if k.kind == wordToken {
			grams(b, k.cyrillic, func(h uint64) { p.buckets[gramTable] = append(p.buckets[gramTable], bucket(gramTable, h)) })
		}
		h := hintOf(p.lang, lex, term)
		face.add(k, b, &h)
		previous = term
	}
	p.buckets[pairTable] = append(p.buckets[pairTable], bucket(pairTable, pair(previous, endOfText)))
	p.face = face.face()
}
