// Package spike finds the moments at which a series of counts leaves its usual range. It is pure: no I/O, no clock.
//
// Scorer gives every value of an evenly spaced series a score as it comes; DESIGN.md says how and what it is measured at.
package spike
