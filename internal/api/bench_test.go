package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"web-backend/internal/backend"
	"web-backend/internal/store/storetest"
)

// discard is a ResponseWriter that discards the response.
type discard struct {
	header http.Header
	status int
	bytes  int
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }
func (d *discard) Write(p []byte) (int, error) {
	if d.status == 0 {
		d.status = http.StatusOK
	}
	d.bytes += len(p)
	return len(p), nil
}

// benchServer returns a server with a user ada who has ten characters of about
// 13 KB each.
func benchServer(b *testing.B) *server {
	b.Helper()
	s := newHandler(b, unlogged)
	characters := storetest.Characters("ada", 10)
	for i := range characters {
		characters[i].Prompt += strings.Repeat(" You keep a lighthouse.", 520)
	}
	if err := s.store.CreateUser(b.Context(), storetest.UserConfig("ada"), characters); err != nil {
		b.Fatal(err)
	}
	return s
}

// measure serves one request after another; body returns the body of request n.
// It measures only the handler, because the request and the response are made
// once.
func (s *server) measure(b *testing.B, method, path string, body func(n int) string) {
	b.Helper()
	b.ReportAllocs()
	content := new(strings.Reader)
	r := httptest.NewRequestWithContext(b.Context(), method, path, content)
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1" // may call operator routes without a token
	w := &discard{header: http.Header{}}
	size := 0
	for n := 0; b.Loop(); n++ {
		content.Reset(body(n))
		r.Body, r.ContentLength = io.NopCloser(content), content.Size()
		*w = discard{header: w.header}
		clear(w.header)
		s.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatalf("%s %s: got %d, want 200", method, path, w.status)
		}
		size = w.bytes
	}
	b.ReportMetric(float64(size), "response-B")
}

func nothing(int) string { return "" }

func BenchmarkGetCharacterConfig(b *testing.B) {
	s := benchServer(b)
	s.measure(b, "GET", "/api/v1/get_character_config/ada/"+storetest.Character("ada", 3).CharacterID, nothing)
}

func BenchmarkListCharacters(b *testing.B) {
	benchServer(b).measure(b, "GET", "/api/v1/list_characters/ada", nothing)
}

func BenchmarkGetAvailableLLM(b *testing.B) {
	benchServer(b).measure(b, "GET", "/api/v1/get_available_llm/ada", nothing)
}

// The bytes differ each time because SQLite does not write unchanged data.
func BenchmarkUpdatePrompt(b *testing.B) {
	id := storetest.Character("ada", 3).CharacterID
	rest := strings.Repeat(" You keep a lighthouse.", 520)
	benchServer(b).measure(b, "POST", "/api/v1/update_character_prompt", func(n int) string {
		return fmt.Sprintf(`{"user_id":"ada","character_id":%q,"prompt":"%d%s"}`, id, n, rest)
	})
}

func BenchmarkListUsers(b *testing.B) {
	s := newHandler(b, unlogged)
	for n := range 5000 {
		config := backend.UserConfig{UserID: fmt.Sprintf("9a4b5f6e-6f3c-4a57-9d0b-%012d", n), Timezone: "UTC"}
		if err := s.store.CreateUser(b.Context(), config, nil); err != nil {
			b.Fatal(err)
		}
	}
	s.measure(b, "GET", "/api/v1/list_users", nothing)
}

// The time does not depend on the size of the file.
func BenchmarkTailLog(b *testing.B) {
	for _, megabytes := range []int64{1, 100, 10_000} {
		b.Run(fmt.Sprintf("%dMB", megabytes), func(b *testing.B) {
			bigLog(b, megabytes<<20).measure(b, "GET", "/tail_log/100", nothing)
		})
	}
}
