//go:build !(linux || darwin || freebsd)

package sqlite

// freeBytes knows no way to ask.
func freeBytes(string) (free uint64, known bool) { return 0, false }
