//go:build failpoints

package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"

	"web-backend/internal/store/sqlite"
)

// Environment variables: TORTURE is "long" for the long run. TORTURE_SEED
// repeats a run.
const (
	lengthVariable = "TORTURE"
	seedVariable   = "TORTURE_SEED"
)

var (
	long = os.Getenv(lengthVariable) == "long"
	seed = newSeed()
)

func newSeed() uint64 {
	if text := os.Getenv(seedVariable); text != "" {
		value, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			panic(seedVariable + " must be a number: " + text)
		}
		return value
	}
	return uint64(time.Now().UnixNano())
}

// chance returns a source of random numbers that depends only on the seed and
// on stream. The sources of one run have different streams.
func chance(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream))
}

// length returns inCI in CI, and inLongRun in the long run.
func length(inCI, inLongRun int) int {
	if long {
		return inLongRun
	}
	return inCI
}

// figures are the results of the tests, in the order in which they were first
// reported.
var figures struct {
	sync.Mutex
	names  []string
	values map[string]string
}

// figure adds a result to the summary.
func figure(name, format string, args ...any) {
	figures.Lock()
	defer figures.Unlock()
	if figures.values == nil {
		figures.values = map[string]string{}
	}
	if _, ok := figures.values[name]; !ok {
		figures.names = append(figures.names, name)
	}
	figures.values[name] = fmt.Sprintf(format, args...)
}

func summary(took time.Duration, passed bool) string {
	figures.Lock()
	defer figures.Unlock()
	slices.Sort(figures.names)
	var text strings.Builder
	result := "passed"
	if !passed {
		result = "FAILED"
	}
	fmt.Fprintf(&text, "| what | figure |\n|---|---|\n| result | %s, in %s |\n| seed | %d |\n", result, took.Round(time.Second), seed)
	for _, name := range figures.names {
		fmt.Fprintf(&text, "| %s | %s |\n", name, figures.values[name])
	}
	return text.String()
}

func TestMain(m *testing.M) {
	vfs.Register("disk", diskVFS{})
	sqlite.SetVFS("disk")
	began := time.Now()
	code := m.Run()
	removeBuild()
	text := summary(time.Since(began), code == 0)
	fmt.Print("\n", text, "\n")
	if long && code == 0 && flag.Lookup("test.run").Value.String() == "" {
		code = writeSummary(text)
	}
	os.Exit(code)
}

// writeSummary writes the results of a long run to the documents.
func writeSummary(text string) int {
	text = fmt.Sprintf("# The last long run\n\n`make torture` wrote this page on %s, on %d cores, %s/%s, %s.\n"+
		"[reliability.md](reliability.md) says what stands behind each figure.\n\n%s",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), text)
	if err := os.WriteFile(filepath.Join("..", "docs", "torture.md"), []byte(text), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
