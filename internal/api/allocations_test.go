//go:build !race

package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"web-backend/internal/store/storetest"
)

// TestAllocations checks that the three main reads allocate no more than this
// in the handler. It does not count what net/http allocates for a request, or
// the log, which is off as in benchServer. The commit message of a change that
// needs more must explain why.
func TestAllocations(t *testing.T) { //nolint:paralleltest // the allocations of all goroutines are counted
	s := newHandler(t, unlogged)
	if err := s.store.CreateUser(t.Context(), storetest.UserConfig("ada"), storetest.Characters("ada", 10)); err != nil {
		t.Fatal(err)
	}
	for path, most := range map[string]float64{
		"get_character_config/ada/" + storetest.Character("ada", 3).CharacterID: 14,
		"list_characters/ada":   18,
		"get_available_llm/ada": 17,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/"+path, http.NoBody)
		w := &discard{header: http.Header{}}
		got := testing.AllocsPerRun(500, func() {
			*w = discard{header: w.header}
			clear(w.header)
			s.handler.ServeHTTP(w, r)
		})
		if w.status != http.StatusOK || w.bytes == 0 {
			t.Errorf("%s: got status %d and %d bytes, want a response", path, w.status, w.bytes)
		}
		if got > most {
			t.Errorf("%s: got %.0f allocations, want %.0f at the most", path, got, most)
		}
		t.Logf("%s: %.0f allocations", path, got)
	}
}
