package brand

import (
	_ "embed"
)

//go:embed example.yaml
var exampleYAML []byte

// Example returns the shipped example: three mobile operators, seven products. Every call returns a new one.
func Example() *Catalogue {
	c, err := Parse(exampleYAML)
	if err != nil {
		panic(err) // the example is part of the program, and a test parses it
	}
	return c
}
