package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"web-backend/internal/backend"
)

// The number types that clips may have.
const (
	halfFloat   = "float16"
	singleFloat = "float32"
	doubleFloat = "float64"
)

// Motion says where motion files come from and how they are served.
// Config.Motion is nil if the feature is off.
type Motion struct {
	Database MotionDatabase
	Clips    MotionFileSource // root of the paths in the database
	// ClipFiles maps decimal record ids to paths, for the original's readers
	// that do not use SQL for motions. If it is nil, the paths come from the
	// database.
	ClipFiles map[string]string

	Restposes, Meshes, Joints, Rigids, Blendshapes MotionFiles
	// DefaultAvatars says that the avatars were not configured. The paths are
	// then those of the original's six avatars. A folder does not need to
	// contain all of them.
	DefaultAvatars bool

	FloatType     string        // float16, float32 or float64
	CheckInterval time.Duration // time between checks of the database version
	MaxDownloads  int           // at the same time; others wait
	Strict        bool          // whether one bad record makes the whole load fail
	MaxWorkers    int           // for a load; 0 to choose by the machine
}

// MotionDatabase says where the records are: in exactly one of SQLite and
// MySQL.
type MotionDatabase struct {
	SQLite               string // path
	MySQL                *MySQL
	JoinFile             string // path of a file with the SQL join; "" for the built-in one
	Table, EnabledColumn string
}

// MySQL says how to connect to a MySQL or MariaDB server.
type MySQL struct {
	Host     string
	Port     int
	Username string
	Password backend.Secret
	Database string
}

// MotionFileSource says where files are: in exactly one of Dir and S3.
type MotionFileSource struct {
	Dir string
	S3  *S3
}

// S3 is a bucket of MinIO or of another server with the S3 protocol.
type S3 struct {
	Endpoint, AccessKey string
	SecretKey           backend.Secret
	Bucket              string
	TLS                 bool
}

// MotionFiles are the files of one kind.
type MotionFiles struct {
	Source MotionFileSource
	Paths  map[string]string // avatar → path below the source
}

// motionKeys are the keys below motion. [loader.checkMotion] turns them into a
// [Motion].
type motionKeys struct {
	DataDir, JoinFile, FloatType string
	CheckInterval                time.Duration
	MaxDownloads                 int
	Strict                       bool
	MySQL                        MySQL
	S3                           S3
	Avatars                      avatarFiles
	Original                     string // short description of motion_file_api_cfg
}

// avatarFiles maps an avatar to the paths of its files by their kind.
type avatarFiles map[string]map[string]string

func defaultMotionKeys() motionKeys {
	return motionKeys{
		FloatType: singleFloat, CheckInterval: time.Minute, MaxDownloads: 32, MySQL: MySQL{Port: defaultMySQLPort},
		S3: S3{Bucket: defaultBucket},
	}
}

// Keys that are also in motion_file_api_cfg.
const (
	mysqlPasswordKey = "motion.mysql.password"
	s3SecretKeyKey   = "motion.s3.secret_key"
)

// motionKinds are the kinds of static files of an avatar. They have the names
// of the keys below motion.avatars, and they say whether an avatar needs such a
// file.
var motionKinds = []struct {
	name     string
	required bool
	files    func(m *Motion) *MotionFiles
}{
	{"restpose", true, func(m *Motion) *MotionFiles { return &m.Restposes }},
	{"mesh", true, func(m *Motion) *MotionFiles { return &m.Meshes }},
	{"joints", false, func(m *Motion) *MotionFiles { return &m.Joints }},
	{"rigids", false, func(m *Motion) *MotionFiles { return &m.Rigids }},
	{"blendshapes", true, func(m *Motion) *MotionFiles { return &m.Blendshapes }},
}

// originalAvatars returns the avatars of the original with the paths that they
// have there.
func originalAvatars() avatarFiles {
	all := avatarFiles{}
	for _, a := range [][3]string{
		{"KQ", "KQ_default_0326", "keqing"},
		{"FNN", "FNN_default_0819", "funingna"},
		{"HT", "HT_default_0819", "hutao"},
		{"NXD", "NXD_default_1202", "nahida"},
		{"KL", "KL_default_1202", "klee"},
		{"Ani", "Ani_default_0827", "ani"},
	} {
		key := a[0] + "-default"
		all[key] = map[string]string{
			"restpose":    "restpose_npz/" + a[1] + "_skeleton.npz",
			"mesh":        "mesh_glb/" + a[2] + ".glb",
			"joints":      "joints_meta/" + key + "_joints_meta.json",
			"rigids":      "rigids_meta/" + key + "_rigids_meta.json",
			"blendshapes": "blendshapes_meta/" + key + "_blendshapes_meta.json",
		}
	}
	return all
}

// checkMotion sets Config.Motion from the sources.
func (l *loader) checkMotion() {
	before := len(l.faults)
	given, keys := l.givenMotionKeys(), &l.config.motion
	var motion *Motion
	switch {
	case l.original != nil:
		fits := []string{"motion.max_downloads", "motion.strict", mysqlPasswordKey, s3SecretKeyKey}
		for _, key := range given {
			if !slices.Contains(fits, key) {
				l.faults = append(l.faults, fmt.Sprintf("%s: stands beside motion_file_api_cfg, which says it itself; "+
					"want the one or the other (beside it may stand: %s)", l.at(key), strings.Join(fits, ", ")))
			}
		}
		motion = l.originalMotion()
	case keys.DataDir != "" || keys.MySQL.Host != "" || keys.S3.Endpoint != "":
		l.warnOfMotionKeys(given)
		motion = l.saneMotion()
	case len(given) > 0:
		l.warn(l.at(given[0]) + ": has no effect: motion files are off; set motion.data_dir, or motion.mysql.host and motion.s3.endpoint")
	}
	if motion != nil && len(l.faults) == before {
		motion.MaxDownloads, motion.Strict = keys.MaxDownloads, keys.Strict
		l.config.Motion = motion
	}
}

// givenMotionKeys returns the keys below motion that do not have their default
// value.
func (l *loader) givenMotionKeys() (keys []string) {
	standard := Default().settings()
	for i, s := range l.settings {
		if strings.HasPrefix(s.key, "motion.") && s.value.get() != standard[i].value.get() {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// at returns the source of a key's value, followed by the key.
func (l *loader) at(key string) string {
	if origin := l.origin[key]; origin != "" {
		return origin + ": " + key
	}
	return key
}

// warnOfMotionKeys warns about keys that have no effect because another key is
// missing or has the same meaning.
func (l *loader) warnOfMotionKeys(given []string) {
	keys := l.config.motion
	for _, key := range given {
		switch {
		case keys.MySQL.Host == "" && strings.HasPrefix(key, "motion.mysql."):
			l.warn(l.at(key) + ": has no effect without motion.mysql.host")
		case keys.S3.Endpoint == "" && strings.HasPrefix(key, "motion.s3."):
			l.warn(l.at(key) + ": has no effect without motion.s3.endpoint")
		case keys.MySQL.Host != "" && keys.S3.Endpoint != "" && key == "motion.data_dir":
			l.warn(l.at(key) + ": has no effect beside motion.mysql.host and motion.s3.endpoint")
		}
	}
}

// saneMotion reads the keys below motion.
func (l *loader) saneMotion() *Motion {
	keys := l.config.motion
	m := &Motion{
		Database:  newMotionDatabase(false),
		FloatType: keys.FloatType, CheckInterval: keys.CheckInterval,
	}
	m.Database.JoinFile = keys.JoinFile
	const mysqlHost, s3Endpoint = "motion.mysql.host", "motion.s3.endpoint"
	needs := func(key, other string, given bool) {
		if !given {
			l.faults = append(l.faults, fmt.Sprintf("%s: needs %s as well", l.at(key), other))
		}
	}
	if keys.MySQL.Host != "" {
		needs(mysqlHost, "motion.mysql.username", keys.MySQL.Username != "")
		needs(mysqlHost, "motion.mysql.database", keys.MySQL.Database != "")
		m.Database.MySQL = &keys.MySQL
	} else {
		needs(s3Endpoint, "a database of the records, motion.mysql.host or motion.data_dir,", keys.DataDir != "")
		m.Database.SQLite = filepath.Join(keys.DataDir, "motion_database.db")
	}
	files := MotionFileSource{Dir: keys.DataDir}
	m.Clips = MotionFileSource{Dir: filepath.Join(keys.DataDir, "motion_files")}
	if keys.S3.Endpoint != "" {
		needs(s3Endpoint, "motion.s3.access_key", keys.S3.AccessKey != "")
		needs(s3Endpoint, s3SecretKeyKey, keys.S3.SecretKey.IsSet())
		files = MotionFileSource{S3: &keys.S3}
		m.Clips = files
	} else {
		needs(mysqlHost, "a source of the files, motion.data_dir or motion.s3.endpoint,", keys.DataDir != "")
	}
	avatars := keys.Avatars
	if m.DefaultAvatars = len(avatars) == 0; m.DefaultAvatars {
		avatars = originalAvatars()
	}
	for _, kind := range motionKinds {
		paths := map[string]string{}
		for avatar, files := range avatars {
			if path := files[kind.name]; path != "" {
				paths[avatar] = path
			}
		}
		*kind.files(m) = MotionFiles{files, paths}
	}
	return m
}

// MotionFolder returns the configuration for motion.data_dir alone: a folder
// with the layout of the original's data, and defaults for everything else.
func MotionFolder(dir string) *Motion {
	l := newLoader()
	l.config.motion.DataDir = dir
	m := l.saneMotion()
	m.MaxDownloads = l.config.motion.MaxDownloads
	return m
}

// avatars is the value of motion.avatars.
func avatars(target *avatarFiles) value {
	return treeValue(target, "avatars, and for each the paths restpose, mesh, joints, rigids, blendshapes", func() string {
		return strings.Join(slices.Sorted(maps.Keys(*target)), ", ")
	}, target.load)
}

// load reads the tree and adds its faults to l.
func (a *avatarFiles) load(l *loader, t tree) {
	all := l.block(t, "motion.avatars", t.node)
	if all == nil {
		return
	}
	for _, f := range all.fields {
		files := all.block(f.key, true)
		if files == nil {
			continue
		}
		paths := map[string]string{}
		for _, kind := range motionKinds {
			var path string
			if files.set(kind.name, localPath(&path), kind.required); path != "" {
				paths[kind.name] = path
			}
		}
		files.done()
		if *a == nil {
			*a = avatarFiles{}
		}
		(*a)[f.key] = paths
	}
}

// yaml returns the avatars in the form of a configuration file.
func (a *avatarFiles) yaml() *yaml.Node {
	all := &yaml.Node{Kind: yaml.MappingNode}
	for _, avatar := range slices.Sorted(maps.Keys(*a)) {
		files := &yaml.Node{Kind: yaml.MappingNode}
		for _, kind := range motionKinds {
			if path := (*a)[avatar][kind.name]; path != "" {
				files.Content = append(files.Content, textNode(kind.name), textNode(path))
			}
		}
		all.Content = append(all.Content, textNode(avatar), files)
	}
	return all
}
