// Command profile merges processor profiles into the one by which the compiler optimises the program (deploy/otklik.pgo):
//
//	go run ./profile -o ../otklik.pgo cpu.pprof…
//
// What belongs to the machine that was measured stays out: paths, and addresses in its binary. Only names of functions and lines are left.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/google/pprof/profile"
)

func main() {
	out := flag.String("o", "", "`file` to write")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: profile -o FILE PROFILE...")
		os.Exit(2)
	}
	if err := merge(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
}

// merge writes the sum of the profiles.
func merge(out string, paths []string) (err error) {
	profiles := make([]*profile.Profile, 0, len(paths))
	for _, path := range paths {
		p, err := read(path)
		if err != nil {
			return err
		}
		profiles = append(profiles, p)
	}
	merged, err := profile.Merge(profiles)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return merged.Write(f)
}

// read returns a profile without what tells of its machine.
func read(path string) (*profile.Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if p.SampleType[len(p.SampleType)-1].Type != "cpu" {
		return nil, fmt.Errorf("%s is no processor profile; `otklik bench --profile` writes one as cpu.pprof", path)
	}
	p.TimeNanos, p.Comments = 0, nil
	for _, m := range p.Mapping {
		m.File, m.BuildID, m.Start, m.Limit, m.Offset = "otklik", "", 0, 0, 0
	}
	for _, l := range p.Location {
		l.Address = 0
	}
	for _, f := range p.Function {
		f.Filename = ""
	}
	return p.Compact(), nil
}
