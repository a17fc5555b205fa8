//go:build race

package main

// With the race detector in the tests it is in the program, too, but for SQLite, as in the Makefile.
func init() {
	buildFlags = append(buildFlags, "-race", "-gcflags=github.com/ncruces/go-sqlite3-wasm/v6=-race=false")
	raceDetector = true
}
