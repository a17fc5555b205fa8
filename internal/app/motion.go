package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"web-backend/internal/api"
	"web-backend/internal/config"
	"web-backend/internal/console"
	"web-backend/internal/motion"
	"web-backend/internal/motion/source"
)

// motionFiles holds the motion files of a server. It is nil if the server has
// none.
type motionFiles struct {
	library *motion.Library
	cancel  context.CancelFunc
	done    chan struct{}
}

// startMotion starts to load the motion files. The server already serves
// requests while they load.
func (s *server) startMotion(cfg *config.Config) (api.MotionOptions, error) {
	if cfg.Motion == nil {
		return api.MotionOptions{}, nil
	}
	sources, err := motionSources(cfg.Motion)
	if err != nil {
		return api.MotionOptions{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.motion = &motionFiles{
		library: motion.NewLibrary(sources, motionOptions(cfg.Motion, s.log.Logger)),
		cancel:  cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(s.motion.done)
		s.motion.library.Run(ctx)
	}()
	return api.MotionOptions{Library: s.motion.library, MaxDownloads: cfg.Motion.MaxDownloads}, nil
}

// stop cancels the loading of motion files and waits until it has ended.
func (m *motionFiles) stop() {
	if m == nil {
		return
	}
	m.cancel()
	<-m.done
}

func motionOptions(cfg *config.Motion, log *slog.Logger) motion.LibraryOptions {
	return motion.LibraryOptions{
		Options: motion.Options{
			FloatType: motion.FloatType(cfg.FloatType), Strict: cfg.Strict, LeaveOutAbsent: cfg.DefaultAvatars, Workers: cfg.MaxWorkers,
		},
		CheckInterval: cfg.CheckInterval, Log: log,
	}
}

// motionSources returns the configured sources of the motion files. It opens
// nothing.
func motionSources(cfg *config.Motion) (motion.Sources, error) {
	sources := motion.Sources{
		Database: motionDatabase(cfg.Database),
		Clips:    motionFileSource(cfg.Clips),
		Static: [...]motion.Files{
			motion.Restposes:   {Source: motionFileSource(cfg.Restposes.Source), Paths: cfg.Restposes.Paths},
			motion.Meshes:      {Source: motionFileSource(cfg.Meshes.Source), Paths: cfg.Meshes.Paths},
			motion.Joints:      {Source: motionFileSource(cfg.Joints.Source), Paths: cfg.Joints.Paths},
			motion.Rigids:      {Source: motionFileSource(cfg.Rigids.Source), Paths: cfg.Rigids.Paths},
			motion.Blendshapes: {Source: motionFileSource(cfg.Blendshapes.Source), Paths: cfg.Blendshapes.Paths},
		},
	}
	if cfg.ClipFiles != nil {
		sources.ClipPaths = map[int32]string{}
	}
	for text, path := range cfg.ClipFiles {
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return sources, fmt.Errorf("motion_file_api_cfg: %q is not the id of a motion record", text)
		}
		sources.ClipPaths[int32(id)] = path
	}
	return sources, nil
}

func motionDatabase(cfg config.MotionDatabase) motion.Database {
	query := source.Query{JoinFile: cfg.JoinFile, Table: cfg.Table, EnabledColumn: cfg.EnabledColumn}
	if m := cfg.MySQL; m != nil {
		return source.NewMySQL(source.MySQLOptions{
			Host: m.Host, Port: m.Port, Username: m.Username, Password: m.Password, Database: m.Database, Query: query,
		})
	}
	return source.NewSQLite(cfg.SQLite, query)
}

func motionFileSource(cfg config.MotionFileSource) motion.FileSource {
	if s := cfg.S3; s != nil {
		return source.NewS3(source.S3Options{
			Endpoint: s.Endpoint, Bucket: s.Bucket, AccessKey: s.AccessKey, SecretKey: s.SecretKey, TLS: s.TLS,
		})
	}
	return source.NewFolder(cfg.Dir)
}

// motionStatus describes the motion files for operators.
func motionStatus(library *motion.Library, cfg *config.Motion) console.Motion {
	status := library.Status()
	shown := console.Motion{Database: "SQLite " + cfg.Database.SQLite, Files: cfg.Clips.Dir, Checked: status.Checked}
	if m := cfg.Database.MySQL; m != nil {
		shown.Database = fmt.Sprintf("MySQL %s, %s", net.JoinHostPort(m.Host, strconv.Itoa(m.Port)), m.Database)
	}
	if s := cfg.Clips.S3; s != nil {
		shown.Files = fmt.Sprintf("S3 %s, %s", s.Endpoint, s.Bucket)
	}
	var faults []motion.Fault
	if g := library.Current(); g != nil {
		shown.Version, shown.Loaded, shown.Keywords = g.Version(), g.Loaded(), len(g.Keywords())
		shown.Avatars = motionAvatars(g)
		faults = g.Faults()
	}
	if status.Err != nil {
		shown.Problem = status.Err.Error()
		if refused, ok := errors.AsType[*motion.FaultsError](status.Err); ok { // strict
			faults = refused.Faults
		}
	}
	for _, fault := range faults {
		shown.Faults = append(shown.Faults, fault.String())
	}
	return shown
}

func motionAvatars(g *motion.Generation) (avatars []console.MotionAvatar) {
	for _, s := range g.Avatars() {
		avatar := console.MotionAvatar{Avatar: s.Avatar, Bytes: s.Bytes, Missing: s.Missing}
		for _, kind := range s.Files {
			avatar.Files = append(avatar.Files, kind.String())
		}
		for _, c := range s.Clips {
			avatar.Clips = append(avatar.Clips, console.MotionClip(c))
		}
		avatars = append(avatars, avatar)
	}
	return avatars
}
