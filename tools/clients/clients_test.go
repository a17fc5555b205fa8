// Package clients tests the examples for authors of clients in the way that a
// reader uses them. It starts the program, generates each client from the
// document that the program serves, and checks the types of the example against
// the client. Then it runs the example and compares its output. It is in a
// separate module, so that the tests of the product need neither Node nor
// Python.
package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// example is a folder of examples/ and the steps of its README.
type example struct {
	folder   string
	needs    [][]string // commands that have to work; without them the example cannot be tested
	remedy   string
	sources  []string // files that a reader copies
	locks    []string // files that determine what is installed
	install  []string // run once for the same locks, in the cache folder
	lends    string   // the part of the installation that is put into the work folder
	path     string   // folder with the installed programs
	generate string
	check    string
	run      string
}

var examples = []example{
	{
		folder: "typescript", needs: [][]string{{"node", "--version"}, {"npm", "--version"}},
		remedy:  "install Debian's nodejs and npm, or Node 18 or newer",
		sources: []string{"package.json", "tsconfig.json", "src/client.ts", "src/tour.ts"},
		locks:   []string{"package.json", "package-lock.json", ".npmrc"}, install: []string{"npm ci"},
		lends: "node_modules", path: "node_modules/.bin",
		generate: "npm run generate", check: "npm run check", run: "npm start",
	},
	{
		folder: "python", remedy: "install Debian's python3 and python3-venv, or Python 3.11 or newer",
		needs:   [][]string{{"python3", "-c", "import ensurepip, sys, venv; print(sys.version); assert sys.version_info >= (3, 11)"}},
		sources: []string{"generator.yaml", "client.py", "tour.py"},
		locks:   []string{"requirements.txt"},
		install: []string{
			"python3 -m venv .venv && . .venv/bin/activate",
			"pip install --require-hashes -r requirements.txt",
		},
		path: ".venv/bin",
		generate: "openapi-python-client generate --url $URL/openapi.json --config generator.yaml --meta none " +
			"--output-path web_backend_client --overwrite",
		check: "mypy --strict --follow-imports=silent client.py tour.py", run: "python tour.py",
	},
}

// printed is the output of every example. … stands for the parts that vary.
const printed = `
wrong password: refused: The user name or the password is not correct.
logged in for 604800 s
without the token: %s
characters: Thea Brannock, …, 贺满堂
read-only: 403 character "…" is read-only; duplicate it and change the copy
copy: My own, with the prompt: You sing.
unknown: 404 character "no/body" of user "…" does not exist
faults: 422 Validation Error
  body.voice: Input should be a valid string (string_type)
  body.voice_speed: Input should be a valid, finite number, unable to parse it as one (float_parsing)
missing for the language model: openai_api_key
many tries: refused: Too many tries. Please try again in … s.
  come back in … s
a patient try: refused: The user name or the password is not correct.
after the end: refused: The user name or the password is not correct.
`

func TestExamples(t *testing.T) {
	t.Parallel()
	withoutToken := map[string]string{
		"guarded": "no error",
		"strict":  "401 this needs an access token: send the header Authorization: Bearer TOKEN",
	}
	for _, e := range examples {
		for access, refusal := range withoutToken {
			t.Run(e.folder+" "+access, func(t *testing.T) {
				t.Parallel()
				w := prepare(t, e)
				w.url = serve(t, "WEB_BACKEND_ACCESS="+access)
				w.must(e.generate)
				got := w.must(e.run)
				want := fmt.Sprintf(printed, refusal)
				if !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".+") + "$").MatchString("\n" + got) {
					t.Errorf("the example printed\n%s\nwant at its end%s", got, want)
				}
			})
		}
	}
}

// The examples match the document that the server serves, and the type check
// fails if they do not.
func TestTypes(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		t.Run(e.folder, func(t *testing.T) {
			t.Parallel()
			w := prepare(t, e)
			w.url = serve(t)
			w.must(e.generate)
			w.must(e.check)

			w.url = renamed(t, w.url+"/openapi.json", `"access_token"`, `"other_token"`)
			w.must(e.generate)
			if output, err := w.try(e.check); err == nil || !strings.Contains(output, "access_token") {
				t.Errorf("the check gave %v and printed\n%s\nwant a failure that speaks of access_token", err, output)
			}
		})
	}
}

// renamed serves the document of another server, with one property renamed. It
// returns its own URL.
func renamed(t *testing.T, document, before, after string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, document, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(text, []byte(before), []byte(after))
	if bytes.Equal(changed, text) {
		t.Fatalf("the document has no %s", before)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(changed)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// The READMEs of the examples describe the steps that are tested here.
func TestReadMe(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		readme, err := os.ReadFile(filepath.Join("..", "..", "examples", e.folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		commands := append([]string{e.generate, e.run}, e.install...)
		if e.folder == "python" {
			commands = append(commands, e.check)
		}
		for _, command := range commands {
			if !strings.Contains(string(readme), "\n"+command) {
				t.Errorf("examples/%s/README.md does not tell to run %q", e.folder, command)
			}
		}
	}
}

// need skips the test on a machine without the commands that the example needs,
// or fails it if they are required there. It returns the versions that it
// found.
func (e example) need(t *testing.T) string {
	t.Helper()
	var versions strings.Builder
	for _, command := range e.needs {
		output, err := exec.CommandContext(t.Context(), command[0], command[1:]...).Output()
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("nothing to test examples/%s with: %s: %v; %s", e.folder, command[0], err, e.remedy)
			}
			t.Skipf("SKIPPED: examples/%s was NOT tested: %s: %v; %s", e.folder, command[0], err, e.remedy)
		}
		versions.Write(output)
	}
	return versions.String()
}
