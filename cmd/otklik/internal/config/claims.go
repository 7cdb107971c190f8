package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"otklik/stream/brand"
	"otklik/stream/claim"
)

// claims takes over the faults that the package claim finds, and checks the products that departments are responsible for.
func (v *validator) claims(c *claim.Config, brands *brand.Catalogue) {
	for _, err := range leaves(c.Validate()) {
		key, text, _ := strings.Cut(err.Error(), ": ")
		message, hint, _ := strings.Cut(text, "; ")
		v.at(within("claims", key), message, hint)
	}
	if brands == nil {
		return
	}
	known := map[string]bool{}
	note := func(list []brand.Product) {
		for i := range list {
			known[list[i].Key] = true
		}
	}
	note(brands.Products)
	for i := range brands.Brands {
		note(brands.Brands[i].Products)
	}
	hint := "write the key of one of its products: " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	if len(known) == 0 {
		hint = "it has no products at all: remove the line"
	}
	for _, product := range slices.Sorted(maps.Keys(c.Departments)) {
		if !known[product] {
			v.at(within("claims.departments", product), fmt.Sprintf("the catalogue has no product %q", product), hint)
		}
	}
}
