package backend_test

import (
	"slices"
	"testing"

	"web-backend/internal/backend"
)

func TestTimezones_AreKnown(t *testing.T) {
	t.Parallel()
	zones := backend.Timezones()
	if !slices.IsSorted(zones) || !slices.Contains(zones, backend.DefaultTimezone) {
		t.Errorf("the zones are not sorted, or lack %s: %v", backend.DefaultTimezone, zones)
	}
	for _, zone := range zones {
		if !backend.KnownTimezone(zone) {
			t.Errorf("%s is not known", zone)
		}
	}
}
