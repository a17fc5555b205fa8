package motion

import (
	"maps"
	"slices"
)

// AvatarSummary describes the data of one avatar in a generation.
type AvatarSummary struct {
	Avatar string
	Clips  []ClipSummary
	Frames int    // of all clips
	Bytes  int64  // size of the clips and files that the web client downloads
	Files  []Kind // kinds of files that it has
	// Missing lists the data without which the DLP3D web client does not start:
	// states of clips, and kinds of files.
	Missing []string
}

// ClipSummary describes a clip.
type ClipSummary struct {
	Record   int32 // id
	File     string
	Frames   int
	States   []string // as they are stored, so they may begin or end with a space
	LongIdle bool
}

// neededStates are states for which the web client needs a clip (§6).
var neededStates = []string{"idle", "listen", "error", "leave"}

// neededFiles are the files that the web client needs (§2.5). It never requests
// the rest pose.
var neededFiles = []Kind{Meshes, Blendshapes}

// Avatars returns a summary of each avatar, ordered by name. It includes
// avatars that should have data but do not.
func (g *Generation) Avatars() []AvatarSummary {
	known := map[string]bool{}
	for avatar := range g.avatars {
		known[avatar] = true
	}
	for avatar := range g.poses {
		known[avatar] = true
	}
	for _, files := range g.static {
		for avatar := range files {
			known[avatar] = true
		}
	}
	for _, fault := range g.faults {
		if fault.Avatar != "" {
			known[fault.Avatar] = true
		}
	}
	summaries := []AvatarSummary{}
	for _, avatar := range slices.Sorted(maps.Keys(known)) {
		summaries = append(summaries, g.summary(avatar))
	}
	return summaries
}

func (g *Generation) summary(avatar string) AvatarSummary {
	s := AvatarSummary{Avatar: avatar}
	longIdle := false
	var states []string
	for _, c := range g.avatars[avatar] {
		s.Clips = append(s.Clips, ClipSummary{c.record.id, c.record.npz, c.frames, c.record.states, c.record.idle})
		s.Frames += c.frames
		s.Bytes += int64(len(c.messages[Babylon]))
		longIdle = longIdle || c.record.idle
		states = append(states, c.record.states...)
	}
	if g.poses[avatar] != nil {
		s.Files = append(s.Files, Restposes)
	}
	for kind, files := range g.static {
		if static := files[avatar]; static != nil {
			s.Files = append(s.Files, Kind(kind))
			s.Bytes += static.file.Size()
		}
	}
	if !longIdle {
		s.Missing = append(s.Missing, "long idle")
	}
	for _, state := range neededStates {
		if !slices.Contains(states, state) {
			s.Missing = append(s.Missing, state)
		}
	}
	for _, kind := range neededFiles {
		if g.static[kind][avatar] == nil {
			s.Missing = append(s.Missing, kind.String())
		}
	}
	return s
}
