package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"web-backend/internal/config"
	"web-backend/internal/motion"
)

// MotionReport is the result of [CheckMotion].
type MotionReport struct {
	OK      bool           `json:"ok"` // there are no faults, and the web client can use every avatar
	Version string         `json:"version"`
	Avatars []MotionAvatar `json:"avatars"`
	Faults  []string       `json:"faults"`
	Verdict string         `json:"verdict"`
}

// MotionAvatar describes the motion files of one avatar.
type MotionAvatar struct {
	Avatar  string   `json:"avatar"`
	Clips   int      `json:"clips"`
	Frames  int      `json:"frames"`
	Bytes   int64    `json:"bytes"` // size of the files that the web client downloads
	Files   []string `json:"files"`
	Missing []string `json:"missing"` // files without which the web client does not start
	// ClipList describes each clip, by ascending id.
	ClipList []MotionClip `json:"clip_list"`
}

// MotionClip describes a clip.
type MotionClip struct {
	Record   int32    `json:"record"`
	File     string   `json:"file"`
	Frames   int      `json:"frames"`
	States   []string `json:"states"`
	LongIdle bool     `json:"long_idle"`
}

// CheckMotion loads the motion files as a server does and reports what the
// server would serve. It returns an error if nothing can be loaded.
func CheckMotion(ctx context.Context, cfg *config.Motion) (MotionReport, error) {
	sources, err := motionSources(cfg)
	if err != nil {
		return MotionReport{}, err
	}
	generation, err := motion.Load(ctx, sources, checkOptions(cfg))
	if err != nil {
		return MotionReport{}, err
	}
	report := MotionReport{Version: generation.Version(), Avatars: []MotionAvatar{}, Faults: []string{}}
	for _, s := range generation.Avatars() {
		avatar := MotionAvatar{
			Avatar: s.Avatar, Clips: len(s.Clips), Frames: s.Frames, Bytes: s.Bytes,
			Files: []string{}, Missing: append([]string{}, s.Missing...), ClipList: []MotionClip{},
		}
		for _, kind := range s.Files {
			avatar.Files = append(avatar.Files, kind.String())
		}
		for _, c := range s.Clips {
			avatar.ClipList = append(avatar.ClipList, MotionClip(c))
		}
		report.Avatars = append(report.Avatars, avatar)
	}
	for _, fault := range generation.Faults() {
		report.Faults = append(report.Faults, fault.String())
	}
	report.judge(cfg.Strict)
	return report, nil
}

// checkOptions returns the options of the server, except that Strict is off, so
// that one fault does not hide the others.
func checkOptions(cfg *config.Motion) motion.Options {
	options := motionOptions(cfg, nil).Options
	options.Strict = false
	return options
}

// judge sets the verdict: whether the web client can use the motion files.
func (r *MotionReport) judge(strict bool) {
	var unusable []string
	for _, a := range r.Avatars {
		if len(a.Missing) > 0 {
			unusable = append(unusable, a.Avatar)
		}
	}
	faults := ""
	if len(r.Faults) > 0 {
		faults = fmt.Sprintf("; faults: %d", len(r.Faults))
	}
	switch {
	case len(r.Avatars) == 0:
		r.Verdict = "the web client can use none of it: there is no avatar"
	case strict && len(r.Faults) > 0:
		r.Verdict = "the web client can use none of it: motion.strict is true, and then the server serves nothing that has a fault" + faults
	case len(unusable) == len(r.Avatars):
		r.Verdict = "the web client can use no avatar" + faults
	case len(unusable) > 0:
		r.Verdict = "the web client can use it, but not " + strings.Join(unusable, ", ") + faults
	default:
		r.OK = len(r.Faults) == 0
		r.Verdict = "the web client can use it" + faults
	}
}

// checkMotion returns the faults of the motion files that are on this machine.
func checkMotion(ctx context.Context, cfg *config.Motion) (faults []error) {
	if cfg == nil {
		return nil
	}
	fault := func(err error) { faults = append(faults, named("motion files", err)...) }
	sources, err := motionSources(cfg)
	if err != nil {
		return named("motion files", err)
	}
	load := func() error {
		generation, err := motion.Load(ctx, sources, checkOptions(cfg))
		if err != nil {
			return err
		}
		for _, f := range generation.Faults() {
			fault(errors.New(f.String()))
		}
		return nil
	}
	if MotionServers(cfg) == "" {
		if err = load(); err == nil {
			return faults
		}
		fault(err)
	} else if cfg.Database.MySQL == nil {
		_, err := sources.Database.Read(ctx)
		fault(err)
	}
	// Clips need the database and the rest poses. If these are missing, the
	// other files can still be checked.
	sources.Database = noRecords{}
	for kind, files := range motionStatic(cfg) {
		if files.Source.S3 != nil {
			sources.Static[kind].Paths = nil
		}
	}
	fault(load())
	return faults
}

// motionStatic returns the static files, indexed by [motion.Kind].
func motionStatic(cfg *config.Motion) []config.MotionFiles {
	return []config.MotionFiles{
		motion.Restposes: cfg.Restposes, motion.Meshes: cfg.Meshes, motion.Joints: cfg.Joints,
		motion.Rigids: cfg.Rigids, motion.Blendshapes: cfg.Blendshapes,
	}
}

// MotionServers returns the kinds of other servers that motion files come from,
// or "" if there are none. [Check] does not contact these servers.
func MotionServers(cfg *config.Motion) string {
	if cfg == nil {
		return ""
	}
	var kinds []string
	if cfg.Database.MySQL != nil {
		kinds = append(kinds, "MySQL")
	}
	inBucket := func(files config.MotionFiles) bool { return files.Source.S3 != nil }
	if cfg.Clips.S3 != nil || slices.ContainsFunc(motionStatic(cfg), inBucket) {
		kinds = append(kinds, "S3")
	}
	return strings.Join(kinds, " and ")
}

// noRecords is a database without records.
type noRecords struct{}

// Fingerprint implements [motion.Database].
func (noRecords) Fingerprint(context.Context) (string, error) { return "", nil }

// Read implements [motion.Database].
func (noRecords) Read(context.Context) (motion.Table, error) { return motion.Table{}, nil }
