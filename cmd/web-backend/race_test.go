//go:build race

package main

// If the tests have the race detector, the program has it too, except in
// SQLite, as in the Makefile.
func init() {
	buildFlags = append(buildFlags, "-race", "-gcflags=github.com/ncruces/go-sqlite3-wasm/v6=-race=false")
	raceDetector = true
}
