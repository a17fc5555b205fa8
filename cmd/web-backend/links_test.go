package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// repository is the folder whose documents are checked.
const repository = "../.."

// page is the part of a Markdown document that matters for links.
type page struct {
	links   []string // targets of the links, as written
	anchors map[string]bool
}

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	linkTarget = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	linkText   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// readPage finds links and headings. It ignores blocks of code.
func readPage(markdown string) page {
	p := page{anchors: map[string]bool{}}
	fence := ""
	for line := range strings.Lines(markdown) {
		text := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(text, fence) {
				fence = ""
			}
			continue
		case strings.HasPrefix(text, "```"), strings.HasPrefix(text, "~~~"):
			fence = text[:3]
			continue
		}
		if title := strings.TrimLeft(text, "#"); title != text && strings.HasPrefix(title, " ") {
			p.addAnchor(title)
		}
		for _, match := range linkTarget.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, ""), -1) {
			p.links = append(p.links, match[1])
		}
	}
	return p
}

// addAnchor adds the anchor of a heading as GitHub creates it: letters, digits,
// - and _ in lower case, spaces as -, and a number at the end if the anchor
// already exists.
func (p page) addAnchor(title string) {
	title = linkText.ReplaceAllString(strings.TrimSpace(title), "$1")
	slug := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, title)
	anchor := slug
	for n := 1; p.anchors[anchor]; n++ {
		anchor = fmt.Sprintf("%s-%d", slug, n)
	}
	p.anchors[anchor] = true
}

// deadLinks returns the relative links in pages whose target does not exist.
// The keys of pages are paths. exists reports whether a path exists.
func deadLinks(pages map[string]page, exists func(file string) bool) (dead []string) {
	for _, from := range slices.Sorted(maps.Keys(pages)) {
		for _, link := range pages[from].links {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(link, "#")
			target := from
			if file != "" {
				target = path.Join(path.Dir(from), file)
			}
			to, isPage := pages[target]
			if !isPage && !exists(target) || anchor != "" && !to.anchors[anchor] {
				dead = append(dead, from+": "+link)
			}
		}
	}
	return dead
}

// reachable returns the pages that can be reached by links from a first page.
func reachable(pages map[string]page, from string) map[string]bool {
	found := map[string]bool{from: true}
	for waiting := []string{from}; len(waiting) > 0; waiting = waiting[1:] {
		for _, link := range pages[waiting[0]].links {
			file, _, _ := strings.Cut(link, "#")
			target := path.Join(path.Dir(waiting[0]), file)
			if _, ok := pages[target]; ok && file != "" && !found[target] {
				found[target] = true
				waiting = append(waiting, target)
			}
		}
	}
	return found
}

// Every relative link of a document leads to a file and, if the link names a
// heading, to that heading. A reader of the README can reach every document.
func TestDocuments_Links(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	list.Dir = repository
	out, err := list.Output()
	if err != nil {
		t.Skipf("the documents cannot be listed outside a clone: %v", err)
	}
	pages := map[string]page{}
	for file := range strings.FieldsSeq(string(out)) {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		pages[file] = readPage(string(text))
	}
	if len(pages) < 15 {
		t.Fatalf("there are only %d documents", len(pages))
	}
	dead := deadLinks(pages, func(file string) bool {
		_, err := os.Stat(filepath.Join(repository, file))
		return err == nil
	})
	if len(dead) > 0 {
		t.Errorf("these links lead nowhere:\n%s", strings.Join(dead, "\n"))
	}
	found := reachable(pages, "README.md")
	for file := range pages {
		if !found[file] {
			t.Errorf("no link leads from README.md to %s", file)
		}
	}
}

func TestDeadLinks(t *testing.T) {
	t.Parallel()
	pages := map[string]page{
		"README.md": readPage("# The `web` server, at last!\n# Twice\n## Twice\n```sh\n# no heading\n[code](nowhere.md)\n```\n" +
			"[a](docs/a.md#b-and-c) [self](#the-web-server-at-last) [second](#twice-1) [file](go.mod) [out](https://example.org/x)\n" +
			"`[quoted](nowhere.md)`\n"),
		"docs/a.md": readPage("## B and C\n[up](../README.md) [no page](b.md) [no heading](#b-and-d) [third](../README.md#twice-2)\n" +
			"[code is no heading](../README.md#no-heading) [folder](../absent/)\n"),
		"docs/c.md": readPage("alone"),
	}
	got := deadLinks(pages, func(file string) bool { return file == "go.mod" })
	want := []string{"b.md", "#b-and-d", "../README.md#twice-2", "../README.md#no-heading", "../absent/"}
	for i := range want {
		want[i] = "docs/a.md: " + want[i]
	}
	if !slices.Equal(got, want) {
		t.Errorf("dead links: got %q, want %q", got, want)
	}
	if got := reachable(pages, "README.md"); len(got) != 2 || !got["docs/a.md"] {
		t.Errorf("reachable pages: got %v, want README.md and docs/a.md", got)
	}
}

// Each direct dependency has a row with its reason in docs/design.md. A row may
// leave out the host, and "github.com" always.
func TestDocuments_ReasonForEachDependency(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	design, err := os.ReadFile(filepath.Join(repository, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rows, found := strings.Cut(string(design), "\n## Dependencies\n")
	if !found {
		t.Fatal("docs/design.md has no section Dependencies")
	}
	modules := strings.Fields(string(output))
	if len(modules) == 0 {
		t.Fatal("go list names no direct dependency")
	}
	for _, module := range modules {
		_, withoutHost, _ := strings.Cut(module, "/")
		withoutVersion := regexp.MustCompile(`/v\d+$`).ReplaceAllString(withoutHost, "")
		if !strings.Contains(rows, "`"+module) && !strings.Contains(rows, "`"+withoutVersion) {
			t.Errorf("docs/design.md gives no reason for %s", module)
		}
	}
}
