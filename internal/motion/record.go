package motion

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// record is one enabled row, read by the rules of §2.1.
type record struct {
	id      int32
	avatar  string
	npz     string   // path of its file
	frames  int32    // n_frames, which the file may have more of
	served  bool     // it has states: others only add their keywords
	states  []string // not trimmed; empty ones stay
	idle    bool     // is_idle_long
	loop    *loop
	keyword bool // a motion or speech keyword starts it
	random  *random

	keywords []string // of motions, in any language
}

type loop struct{ start, end int32 }

type random struct {
	frames []int32
	ranges [][]int32 // pairs of start and end
}

// readRecord reads a row. The error says what is wrong with it.
func readRecord(row Row) (record, error) {
	c := columns{row: row}
	if len(row) == 1 {
		return record{id: c.integer("motion_record_id")}, errors.New("the SQL join leaves it out")
	}
	r := record{
		id:      c.integer("motion_record_id"),
		frames:  c.integer("n_frames"),
		avatar:  c.optionalText("avatar_name"),
		npz:     c.optionalText("npz_oss_path"),
		served:  row["states"] != nil,
		keyword: row["motion_keyword_id"] != nil || row["speech_keyword_id"] != nil,
	}
	// They are of use to other services only, but no record is without them.
	c.integer("startup_frame")
	c.integer("recovery_frame")
	if row["motion_keyword_id"] != nil {
		r.keywords = strings.Split(c.text("motion_keywords_ch"), ",")
	}
	if row["loop_id"] != nil {
		r.loop = &loop{c.integer("loop_start_frame"), c.integer("loop_end_frame")}
	}
	if c.truthy("is_random_audio") {
		r.random = &random{}
		c.json("cutoff_frames", &r.random.frames)
		c.json("cutoff_ranges", &r.random.ranges)
		for _, pair := range r.random.ranges {
			if len(pair) != 2 {
				c.fault("cutoff_ranges", "is not a list of pairs")
				break
			}
		}
	}
	if r.served {
		r.states = strings.Split(c.text("states"), ",")
		if row["is_idle_long"] == nil {
			c.fault("is_idle_long", "is NULL")
		}
		r.idle = c.truthy("is_idle_long")
	}
	return r, c.err()
}

// columns reads the values of a row and gathers what is wrong with them.
type columns struct {
	row    Row
	faults []string
}

func (c *columns) fault(name, text string) { c.faults = append(c.faults, name+" "+text) }

func (c *columns) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return errors.New(strings.Join(c.faults, "; "))
}

// integer gives a column that every record has.
func (c *columns) integer(name string) int32 {
	var n int64
	switch v := c.row[name].(type) {
	case nil:
		c.fault(name, c.absence(name))
		return 0
	case int64:
		n = v
	case float64: // of an export that knew no better
		if math.Abs(v) > math.MaxInt32 || math.IsNaN(v) {
			c.fault(name, "is too large")
			return 0
		}
		n = int64(v)
	case string:
		var err error
		if n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 32); err != nil {
			c.fault(name, fmt.Sprintf("is %q, which is not a number", shorten(v)))
			return 0
		}
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		c.fault(name, "is too large")
		return 0
	}
	return int32(n)
}

func (c *columns) absence(name string) string {
	if _, ok := c.row[name]; !ok {
		return "is no column of the join"
	}
	return "is NULL"
}

// text gives a column that must not be NULL.
func (c *columns) text(name string) string {
	if c.row[name] == nil {
		c.fault(name, c.absence(name))
		return ""
	}
	return c.optionalText(name)
}

// optionalText gives "" for NULL.
func (c *columns) optionalText(name string) string {
	switch v := c.row[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// truthy reports whether a column is any number but 0; NULL is not.
func (c *columns) truthy(name string) bool {
	switch v := c.row[name].(type) {
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string: // such as the bytes of a BIT column
		return strings.Trim(v, "0\x00") != ""
	}
	return false
}

// json reads a column that holds JSON; NULL is nothing.
func (c *columns) json(name string, into any) {
	text := c.optionalText(name)
	if c.row[name] == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		c.fault(name, fmt.Sprintf("is %q, which is not a JSON list of frames", shorten(text)))
	}
}

// shorten bounds what a message shows of a value, and replaces what a terminal
// could take for a command.
func shorten(text string) string {
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// keywordsOf gives each keyword of all records once, sorted.
func keywordsOf(records []record) []string {
	all := []string{}
	for _, r := range records {
		all = append(all, r.keywords...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
