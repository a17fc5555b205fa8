//go:build unix

package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseTour(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, markdown string
		want           []step
		wantError      string
	}{
		{"commands and output", "# x\n## Tour\n```console\n$ a\n1\n2\n$ b \\\n> c\n> d\n3\n```\n", []step{
			{4, "a", []string{"1", "2"}}, {7, "b \\\nc\nd", []string{"3"}}}, ""},
		{"several blocks", "## Tour\ntext\n```console\n$ a\n```\n### Part\n```console\n$ b\n1\n```\n", []step{
			{4, "a", nil}, {8, "b", []string{"1"}}}, ""},
		{"output that looks like a continued command", "## Tour\n```console\n$ a\n1\n> 2\n```\n", []step{
			{3, "a", []string{"1", "> 2"}}}, ""},
		{"empty lines of output", "## Tour\n```console\n$ a\n\n1\n```\n", []step{{3, "a", []string{"", "1"}}}, ""},
		{"other blocks and sections", "```console\n$ no\n```\n## Tour\n```sh\n$ no\n## no\n```\n```console\n$ a\n## b\n```\n" +
			"## Next\n```console\n$ no\n```\n", []step{{10, "a", []string{"## b"}}}, ""},
		{"Windows line ends", "## Tour\r\n```console\r\n$ a\r\n1\r\n```\r\n", []step{{3, "a", []string{"1"}}}, ""},

		{"no section", "```console\n$ a\n```\n", nil, "no command"},
		{"no block", "## Tour\ntext\n", nil, "no command"},
		{"no command", "## Tour\n```console\n```\n", nil, "no command"},
		{"output without a command", "## Tour\n```console\n1\n$ a\n```\n", nil, "line 3"},
		{"output without a command in a later block", "## Tour\n```console\n$ a\n```\n```console\n1\n```\n", nil, "line 6"},
		{"open block", "## Tour\n```console\n$ a\n", nil, "not closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseTour(tt.markdown)
			if (err != nil) != (tt.wantError != "") || err != nil && !strings.Contains(err.Error(), tt.wantError) {
				t.Fatalf("got the error %v, want %q", err, tt.wantError)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want, got string // lines, separated by |
		matches   bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"a", "a", true}, {"a", "b", false}, {"a", "aa", false}, {"a", "A", false},
		{"a|b", "a|b", true}, {"a|b", "a", false}, {"a", "a|b", false}, {"a|b", "b|a", false},
		{"…a", "a", true}, {"…a", "xa", true}, {"a…", "ax", true}, {"a…b", "axxb", true}, {"a…b", "ab", true}, {"a…b", "ax", false},
		{"a…b", "a|b", false}, {"a…b…c", "a-b-c", true}, {"a…b…c", "a-c-b", false}, {".*", "xx", false}, {"a…", "ba", false},
		{"…", "", true}, {"…", "a", true}, {"…", "a|b|c", true}, {"a|…", "a", true}, {"a|…|d", "a|b|c|d", true}, {"a|…|d", "a|d", true},
		{"a|…|d", "a|b|c", false}, {"…|b", "a|b", true}, {"…|b", "b|a", false}, {"…|b|…", "a|b|c", true}, {"…|a…|…", "x|ay|z", true},
		{"…|b…", "a|bc", true}, {"a||b", "a||b", true}, {"a||b", "a|b", false},
	} {
		lines := func(text string) []string {
			if text == "" {
				return nil
			}
			return strings.Split(text, "|")
		}
		if got := matches(lines(tt.want), lines(tt.got)); got != tt.matches {
			t.Errorf("want %q, got %q: %t", tt.want, tt.got, got)
		}
	}
}

// The comparison can fail: a tour with one error is detected, and the location
// of the error is reported.
func TestCheckTour(t *testing.T) {
	t.Parallel()
	needTools(t)
	tests := []struct {
		name, block string
		want        []string // text that each difference contains
	}{
		{"right", "$ x=1\n$ echo $x\n1\n$ printf 'a\\nb'\na\nb\n$ echo $URL; pwd\nhttp://test\n…\n$ cat <<END\n> one\n> END\none\n", nil},
		{"standard error is output", "$ echo a >&2\na\n", nil},
		{"standard input is empty", "$ cat\n$ read -r x || echo none\nnone\n", nil},
		{"carriage returns are invisible", "$ printf 'a\\r\\nb\\r\\n'\na\nb\n", nil},
		{"wrong output", "$ echo a\na\n$ echo b\nc\n", []string{"line 5: $ echo b\n--- got\nb\n--- want\nc"}},
		{"missing output", "$ true\na\n", []string{"line 3: $ true"}},
		{"output that is not expected", "$ echo a\n$ true\n", []string{"line 3: $ echo a"}},
		{"two wrong ones", "$ echo a\nb\n$ echo c\nc\n$ echo d\ne\n", []string{"line 3: ", "line 7: "}},
		{"failing command", "$ echo a\na\n$ echo b; false\nb\n$ echo c\nc\n", []string{"line 5: $ echo b; false\nbash ended: exit status 1"}},
		{"failing command with output", "$ echo a; false\n", []string{"line 3: ", "bash ended"}},
		{"unset variable", "$ echo $NONE\n", []string{"line 3: $ echo $NONE\n--- got\n", "bash ended"}},
		{"syntax error", "$ echo a\na\n$ fi\n", []string{"line 5: $ fi", "bash ended"}},
		{"exit in the midst", "$ exit 0\n$ echo a\na\n", []string{"bash ended: too early"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			steps, err := parseTour("## Tour\n```console\n" + tt.block + "```\n")
			if err != nil {
				t.Fatal(err)
			}
			got := checkTour(t, steps, "http://test", nil)
			if !slices.EqualFunc(got, tt.want, strings.Contains) {
				t.Errorf("differences\n got %q\nwant %q", got, tt.want)
			}
		})
	}
	t.Run("between", func(t *testing.T) {
		t.Parallel()
		count := 0
		steps := []step{{1, "echo a", []string{"a"}}, {2, "echo b", []string{"b"}}, {3, "echo c", []string{"c"}}}
		if got := checkTour(t, steps, "", func() { count++ }); got != nil || count != 2 {
			t.Errorf("%d calls, differences %q", count, got)
		}
	})
}
