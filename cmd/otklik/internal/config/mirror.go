package config

import "time"

// Window mirrors stream/window.Config.
type Window struct {
	MaxDisorder time.Duration `yaml:"max_disorder"`
	Grace       time.Duration `yaml:"grace"`
	IdleAfter   time.Duration `yaml:"idle_after"`
}
