package config

import "time"

// Care mirrors stream/care.Config.
type Care struct {
	QuietGap time.Duration `yaml:"quiet_gap"`
	Calendar Calendar      `yaml:"calendar"`
}

// Calendar mirrors stream/care.Calendar.
type Calendar struct {
	Zone        string              `yaml:"zone"`
	Hours       map[string][]string `yaml:"hours"`
	Holidays    []string            `yaml:"holidays"`
	WorkingDays []string            `yaml:"working_days"`
}

// Window mirrors stream/window.Config.
type Window struct {
	MaxDisorder time.Duration `yaml:"max_disorder"`
	Grace       time.Duration `yaml:"grace"`
	IdleAfter   time.Duration `yaml:"idle_after"`
}

func (c *Config) catalogueContent() any { return nil }
