package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// row is one figure of the report.
type row struct {
	What    string  `json:"what"`
	Against string  `json:"against,omitempty"` // for a ratio: what it is compared with
	Unit    string  `json:"unit,omitempty"`    // "" for a ratio
	Goal    float64 `json:"goal,omitempty"`    // 0 for none
	AtLeast bool    `json:"at_least"`          // the goal is a lower bound
	Value   float64 `json:"value"`             // the median
	Least   float64 `json:"least"`
	Most    float64 `json:"most"`
	Note    string  `json:"note,omitempty"`
}

// met reports whether the figure, rounded as it is printed, meets its goal.
func (r row) met() bool {
	value := math.Round(r.Value*100) / 100
	if r.AtLeast {
		return value >= r.Goal
	}
	return value <= r.Goal
}

// name returns a name that is unique among the rows.
func (r row) name() string {
	if r.Against == "" {
		return r.What
	}
	return r.What + " / " + r.Against
}

type report struct {
	Date    string        `json:"date"`
	Machine string        `json:"machine"`
	Took    time.Duration `json:"took_ns"`
	Users   int           `json:"users"`
	Rounds  int           `json:"rounds"`
	Length  time.Duration `json:"round_ns"`
	Rows    []row         `json:"rows"`
}

func (b *bench) report(took time.Duration) report {
	return report{
		Date: time.Now().UTC().Format(time.DateOnly), Machine: machine(), Took: took.Round(time.Second),
		Users: b.users, Rounds: b.rounds, Length: b.length, Rows: b.rows,
	}
}

// machine describes the machine that this runs on, without its host name.
func machine() string {
	field := func(file, name string) string {
		data, _ := os.ReadFile(file)
		for line := range strings.Lines(string(data)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	return fmt.Sprintf("%d cores (%s), memory %s, %s/%s, %s", runtime.NumCPU(),
		field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal"), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func (r report) markdown() string {
	var text, missed strings.Builder
	fmt.Fprintf(&text, `# Benchmarks

`+"`make bench`"+` wrote this page on %s, in %s. The machine: %s. Load and servers share it. Each figure is the median of
%d rounds of %s, which were interleaved with those of what it is compared with; in brackets the least and the most.

"Bare net/http" sends the same bytes, header fields and body, with no application. The large crowd has %d users with one character and a short
prompt each: with prompts of 8 KB it would not fit on the disk. The databases that are read are in the file cache. How each figure is made stands in `+"`bench/`"+`.

![ratio to the goal](benchmarks.svg)

| what | against | goal | measured | met | details |
|---|---|---|---|---|---|
`, r.Date, r.Took, r.Machine, r.Rounds, r.Length, r.Users)
	for _, row := range r.Rows {
		goal, met := "", ""
		if row.Goal > 0 {
			goal, met = "≤ "+number(row.Goal, row.Unit), "no"
			if row.AtLeast {
				goal = "≥ " + number(row.Goal, row.Unit)
			}
			if row.met() {
				met = "yes"
			}
		}
		measured := number(row.Value, row.Unit)
		if row.Least != row.Most {
			measured += fmt.Sprintf(" (%s–%s)", number(row.Least, row.Unit), number(row.Most, row.Unit))
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", row.What, row.Against, goal, measured, met, row.Note)
		if met == "no" {
			fmt.Fprintf(&missed, "- **%s**: %s\n", row.name(), row.reason())
		}
	}
	if missed.Len() > 0 {
		text.WriteString("\n## Why the others miss their goal\n\n" + missed.String())
	}
	return text.String()
}

func number(value float64, unit string) string {
	if unit == "" {
		return fmt.Sprintf("%.2f", value)
	}
	if value == math.Trunc(value) || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// svg draws how close each figure is to its goal. A bar beyond the line means
// that the figure is better than the goal.
func (r report) svg() string {
	const left, width, height, most = 330, 420, 22, 3.0
	var bars strings.Builder
	y := 30
	for _, row := range r.Rows {
		if row.Goal == 0 || row.Value == 0 {
			continue
		}
		reached := row.Value / row.Goal
		if !row.AtLeast {
			reached = row.Goal / row.Value
		}
		colour := "#2a7f5f"
		if !row.met() {
			colour = "#b5482f"
		}
		what := row.name()
		if len(what) > 54 {
			what = what[:52] + "…"
		}
		fmt.Fprintf(&bars, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.0f" height="14" fill="%s"/>`+
			`<text x="%.0f" y="%d">%s</text>`+"\n", left-8, y+12, escape(what), left, y, math.Min(reached, most)*width/most, colour,
			left+math.Min(reached, most)*width/most+6, y+12, number(row.Value, row.Unit))
		y += height
	}
	goal := left + width/most
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 %d" font-family="sans-serif" font-size="11">
<rect width="860" height="%d" fill="#fff"/>
%s<line x1="%.0f" y1="20" x2="%.0f" y2="%d" stroke="#333" stroke-dasharray="4 3"/><text x="%.0f" y="14" text-anchor="middle">goal</text>
</svg>
`, y+12, y+12, bars.String(), goal, goal, y, goal)
}

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// write writes the report to files in a folder.
func (r report) write(folder string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"benchmarks.md": r.markdown(), "benchmarks.json": string(data) + "\n", "benchmarks.svg": r.svg(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // everybody may read the report
			return err
		}
	}
	return nil
}
