package api_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// docs/security.md lists the level with which each route is served.
func TestSecurityDoc_Levels(t *testing.T) {
	t.Parallel()
	text := readDoc(t)
	a := api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{Access: api.AccessOptions{Mode: auth.Guarded}})
	served := map[string][]string{}
	for _, l := range a.Levels() {
		name, _, _ := strings.Cut(strings.TrimPrefix(l.Path, "/api/v1/"), "{")
		if name = strings.TrimSuffix(name, "/"); name == "" {
			name = "/"
		}
		if strings.HasPrefix(name, "/docs/") || strings.HasPrefix(name, "/redoc/") {
			continue // a file that a page loads
		}
		served[l.Level.String()] = append(served[l.Level.String()], name)
	}
	for level, names := range served {
		row := regexp.MustCompile(`(?m)^\| ` + level + ` \| (.*) \|$`).FindStringSubmatch(text)
		if row == nil {
			t.Errorf("docs/security.md has no row of the level %s", level)
			continue
		}
		var documented []string
		for quoted := range strings.SplitSeq(row[1], ", ") {
			documented = append(documented, strings.Trim(quoted, "`"))
		}
		slices.Sort(documented)
		slices.Sort(names)
		if !slices.Equal(documented, slices.Compact(names)) {
			t.Errorf("routes of the level %s\ndocumented %q\nserved     %q", level, documented, names)
		}
	}
}

// The tests that docs/security.md names exist.
func TestSecurityDoc_Tests(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declaration.FindAllStringSubmatch(string(source), -1) {
			tests[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readDoc(t), -1)
	if len(named) < 15 {
		t.Errorf("docs/security.md names %d tests, want one for each row at least", len(named))
	}
	for _, match := range named {
		if !tests[match[1]] {
			t.Errorf("docs/security.md names %s, which is no test", match[1])
		}
	}
}

// TestSecurityDoc_CallsNobody checks the statement about API7 in
// docs/security.md: no request makes the server send requests to other servers,
// because only the command line and the MongoDB driver can send requests.
func TestSecurityDoc_CallsNobody(t *testing.T) {
	t.Parallel()
	calls := regexp.MustCompile(`http\.(Get|Head|Post|PostForm|Client|DefaultClient|Transport|NewRequest\w*)\b|net\.(Dial\w*|Dialer)\b`)
	files := 0
	for _, folder := range []string{"api", "apidocs", "auth", "backend", "logging", "store/sqlite"} {
		paths, err := filepath.Glob("../" + folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			files++
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if call := calls.Find(source); call != nil {
				t.Errorf("%s uses %s", path, call)
			}
		}
	}
	if files < 40 {
		t.Errorf("only %d files were looked at", files)
	}
}

func readDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
