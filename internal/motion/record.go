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

// record is one enabled row, parsed by the rules of §2.1.
type record struct {
	id      int32
	avatar  string
	npz     string   // path of its file
	frames  int32    // n_frames; the file may have more frames
	served  bool     // whether it has states; otherwise only its keywords are used
	states  []string // not trimmed; empty ones are kept
	idle    bool     // is_idle_long
	loop    *loop
	keyword bool // whether a motion or speech keyword starts it
	random  *random

	keywords []string // of motions, in all languages
}

type loop struct{ start, end int32 }

type random struct {
	frames []int32
	ranges [][]int32 // pairs of start and end
}

// readRecord parses a row. The error says what is wrong with the row.
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
	// Only other services use these, but every record must have them.
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

// columns reads the values of a row and collects what is wrong with them.
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

// integer returns a column that every record must have.
func (c *columns) integer(name string) int32 {
	var n int64
	switch v := c.row[name].(type) {
	case nil:
		c.fault(name, c.absence(name))
		return 0
	case int64:
		n = v
	case float64: // some exports store integers as floats
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

// text returns a column that must not be NULL.
func (c *columns) text(name string) string {
	if c.row[name] == nil {
		c.fault(name, c.absence(name))
		return ""
	}
	return c.optionalText(name)
}

// optionalText returns the text of a column, or "" for NULL.
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

// truthy reports whether a column is a number other than 0. It is false for
// NULL.
func (c *columns) truthy(name string) bool {
	switch v := c.row[name].(type) {
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string: // for example, the bytes of a BIT column
		return strings.Trim(v, "0\x00") != ""
	}
	return false
}

// json decodes a column that holds JSON. It ignores NULL.
func (c *columns) json(name string, into any) {
	text := c.optionalText(name)
	if c.row[name] == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		c.fault(name, fmt.Sprintf("is %q, which is not a JSON list of frames", shorten(text)))
	}
}

// shorten limits the length of a value in a message and replaces characters
// that a terminal could interpret as a command.
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

// keywordsOf returns the keywords of all records, sorted and without
// duplicates.
func keywordsOf(records []record) []string {
	all := []string{}
	for _, r := range records {
		all = append(all, r.keywords...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
