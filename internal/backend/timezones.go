package backend

import (
	_ "embed"
	"strings"
)

// timezones.txt has the names of zone1970.tab in the IANA time zone database
// 2025, and UTC: one name for each region where clocks have agreed since 1970.
//
//go:embed timezones.txt
var timezones string

// Timezones returns names of time zones to choose from, sorted. A user config
// can have others, too: see [KnownTimezone].
func Timezones() []string { return strings.Fields(timezones) }
