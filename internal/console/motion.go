package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Motion describes the motion files of the server.
type Motion struct {
	Database, Files string    // where they are read from, without secrets
	Checked         time.Time // when the last check of the sources ended; zero if there was none
	Problem         string    // the error of that check; "" if it succeeded

	Version  string // of the files that are served; "" if none are loaded
	Loaded   time.Time
	Keywords int
	Avatars  []MotionAvatar
	// Faults lists the records and files that are left out, with the reason. If
	// faults prevent new files from being served, it lists those faults instead.
	Faults []string
}

// MotionAvatar describes the motion files of one avatar.
type MotionAvatar struct {
	Avatar  string
	Bytes   int64 // of the files that the web client downloads
	Files   []string
	Missing []string // files without which the web client does not start
	Clips   []MotionClip
}

// MotionClip describes a clip.
type MotionClip struct {
	Record   int32 // id
	File     string
	Frames   int
	States   []string
	LongIdle bool
}

// How much is on one page.
const (
	motionAvatars  = 25
	motionClips    = 150
	motionFaults   = 100
	maxMotionText  = 120 // bytes of a name
	maxMotionList  = 400 // bytes of a list of names
	maxMotionFault = 300 // bytes
)

// motionPage is the content of the page of the motion files.
type motionPage struct {
	Problem, Database, Files, Version, Size string
	Loaded, Checked                         time.Time // zero if they have not been
	Avatars, Clips, Keywords                int
	Faults                                  int

	Shown       []shownAvatar
	ShownFaults []string
	First       bool // there are pages before this one
	Next        int  // index of the first avatar of the next page, or 0
	NextFaults  int  // the same for the list of faults
}

// shownAvatar is an avatar as a page shows it.
type shownAvatar struct {
	Avatar, Name         string // Name is shortened
	Size, Files, Missing string
	States               string // with the number of clips of each
	Total                int    // number of clips
	Open                 bool   // the page is about this avatar
	Clips                []shownClip
	More                 bool // there are clips on another page, from the index Next
	Next                 int
}

// shownClip is a clip as a page shows it.
type shownClip struct {
	Record       int32
	Frames       int
	File, States string
}

// showMotion shows the motion files: all avatars, one avatar, or the rest of a
// long list. The query says where a list begins.
func (v *visit) showMotion() error {
	if v.options.Motion == nil {
		return &pageError{http.StatusNotFound, "motion_none", nil}
	}
	if v.byScript() { // the page asks again until the files are loaded
		v.options.Gate.Quiet(v.r.Context())
	}
	query := v.r.URL.Query()
	motion := v.options.Motion()
	page := motionFacts(motion)
	from, fault := position(query, "from"), position(query, "fault")
	page.First = query.Has("avatar") || from > 0 || fault > 0
	switch {
	case query.Has("avatar"):
		i := slices.IndexFunc(motion.Avatars, func(a MotionAvatar) bool { return a.Avatar == query.Get("avatar") })
		if i < 0 {
			return &pageError{http.StatusNotFound, "motion_avatar_unknown", nil}
		}
		page.Shown = v.shownAvatars(motion.Avatars[i:i+1], from)
		page.Shown[0].Open = true
	case fault == 0:
		shown, more := part(motion.Avatars, from, motionAvatars)
		page.Shown = v.shownAvatars(shown, 0)
		if more {
			page.Next = from + motionAvatars
		}
	}
	if !query.Has("avatar") && from == 0 {
		shown, more := part(motion.Faults, fault, motionFaults)
		for _, text := range shown {
			page.ShownFaults = append(page.ShownFaults, shorten(text, maxMotionFault))
		}
		if more {
			page.NextFaults = fault + motionFaults
		}
	}
	return v.show(http.StatusOK, "motion", "motion", page)
}

// motionFacts returns a page without lists.
func motionFacts(motion Motion) motionPage {
	page := motionPage{
		Problem: shorten(motion.Problem, maxMotionList), Database: motion.Database, Files: motion.Files, Version: motion.Version, Loaded: motion.Loaded, Checked: motion.Checked,
		Avatars: len(motion.Avatars), Keywords: motion.Keywords, Faults: len(motion.Faults),
	}
	var size int64
	for _, a := range motion.Avatars {
		page.Clips += len(a.Clips)
		size += a.Bytes
	}
	page.Size = megabytes(size)
	return page
}

// shownAvatars returns avatars with their clips, from the clip at the index
// from, until the page has enough clips.
func (v *visit) shownAvatars(avatars []MotionAvatar, from int) (shown []shownAvatar) {
	room := motionClips
	for _, a := range avatars {
		one := shownAvatar{
			Avatar: a.Avatar, Name: shorten(a.Avatar, maxMotionText), Size: megabytes(a.Bytes), Total: len(a.Clips),
			Files: shorten(strings.Join(a.Files, ", "), maxMotionList), Missing: shorten(strings.Join(a.Missing, ", "), maxMotionList),
			States: shorten(v.states(a.Clips), maxMotionList),
		}
		var clips []MotionClip
		clips, one.More = part(a.Clips, from, room)
		for _, c := range clips {
			states := []string{}
			for _, state := range c.States {
				states = append(states, stateName(state))
			}
			one.Clips = append(one.Clips, shownClip{c.Record, c.Frames, shorten(c.File, maxMotionText), shorten(strings.Join(states, ", "), maxMotionText)})
		}
		room -= len(clips)
		one.Next = from + len(clips)
		shown = append(shown, one)
	}
	return shown
}

// states returns the number of clips of each state, as text.
func (v *visit) states(clips []MotionClip) string {
	count := map[string]int{}
	for _, c := range clips {
		if c.LongIdle {
			count[v.texts["motion_long_idle"]]++
		}
		for _, state := range c.States {
			count[stateName(state)]++
		}
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, count[name])
	}
	return strings.Join(names, ", ")
}

// stateName returns the name of a state. It quotes a name that is empty or has
// spaces around it, because a reader would not notice that otherwise. The web
// client does not find such a state.
func stateName(state string) string {
	if state == "" || strings.TrimSpace(state) != state {
		return strconv.Quote(state)
	}
	return state
}

// position returns the position in a list that the query contains, or 0.
func position(query url.Values, name string) int {
	n, err := strconv.Atoi(query.Get(name))
	if err != nil {
		return 0
	}
	return max(0, n)
}

// part returns at most n elements of list, beginning at an index, and whether
// more follow.
func part[T any](list []T, from, n int) (found []T, more bool) {
	from = min(from, len(list))
	end := min(len(list), from+n)
	return list[from:end], end < len(list)
}

// megabytes returns a size as text.
func megabytes(size int64) string { return fmt.Sprintf("%.1f MB", float64(size)/1e6) }

// shorten returns text if it has at most size bytes, otherwise its beginning
// and an ellipsis.
func shorten(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return text[:size] + "…"
}
