//go:build race

package main

// With the race detector in the tests it is in the program, too.
func init() { buildFlags, raceDetector = append(buildFlags, "-race"), true }
