package console

import (
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff/lcs"
)

const (
	// maxDifferentLines is the maximum number of lines of a [difference]. With
	// more, the page would be too large.
	maxDifferentLines = 1000
	// contextLines is how many equal lines are shown before and after a change.
	contextLines = 2
)

// difference is how the lines of a text differ from those that are stored.
type difference struct {
	Summary string // a sentence
	Lines   []differentLine
	More    bool // there are more lines than Lines has
}

// differentLine is a line of a difference. Kind is "added", "removed", "same",
// or "gap" for equal lines that are not shown.
type differentLine struct{ Kind, Text string }

// difference compares what was typed with what is stored. The work is bounded:
// if the texts differ in many places, equal lines may be shown as removed and
// added.
func (v *visit) difference(stored, typed string) *difference {
	before, after := splitLines(stored), splitLines(typed)
	parts := lcs.DiffLines(before, after)
	if len(parts) == 0 {
		return &difference{Summary: v.texts["changes_none"]}
	}
	var d difference
	added, removed, next := 0, 0, 0
	for i, part := range parts {
		d.addEqual(before[next:part.Start], i > 0, true)
		d.add("removed", before[part.Start:part.End]...)
		d.add("added", after[part.ReplStart:part.ReplEnd]...)
		removed, added, next = removed+part.End-part.Start, added+part.ReplEnd-part.ReplStart, part.End
	}
	d.addEqual(before[next:], true, false)
	d.Summary = strings.NewReplacer("{added}", strconv.Itoa(added), "{removed}", strconv.Itoa(removed)).Replace(v.texts["changes_count"])
	return &d
}

// splitLines returns the lines of a text. An empty text has none.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (d *difference) add(kind string, lines ...string) {
	if room := maxDifferentLines - len(d.Lines); len(lines) > room {
		lines, d.More = lines[:room], true
	}
	for _, line := range lines {
		d.Lines = append(d.Lines, differentLine{kind, line})
	}
}

// addEqual adds those of the equal lines that are next to a change. There may
// be a change before them and one after them.
func (d *difference) addEqual(lines []string, changeBefore, changeAfter bool) {
	first, last := 0, len(lines)
	if changeBefore {
		first = min(contextLines, len(lines))
	}
	if changeAfter {
		last = max(first, len(lines)-contextLines)
	}
	d.add("same", lines[:first]...)
	if first < last {
		d.add("gap", "…")
	}
	d.add("same", lines[last:]...)
}
