package config

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"web-backend/internal/backend"
)

// originalKey is the key for motion files in the original's configuration: a
// dict of readers (motion contract §5).
const originalKey = "motion_file_api_cfg"

// The original's defaults.
const (
	defaultMySQLPort = 3306
	defaultBucket    = "3dac"
)

// The limits of the time between checks of the database version.
const (
	leastCheckInterval = 100 * time.Millisecond
	mostCheckInterval  = 24 * time.Hour
)

// unusedMotionKeys have no effect here, in any block. This server has one log
// and one cache, does not send blendshapes, and derives the version from the
// data that it sends.
var unusedMotionKeys = []string{"type", "name", "logger_cfg", "max_workers", "cache_cfg", "blendshape_names", "version"}

// original is the value of motion_file_api_cfg. The target is a short
// description of it. The tree is read after all sources, because the
// environment may supply its missing secrets.
func original(target *string) value {
	return treeValue(target, "a dict of readers, as the original has it", func() string { return *target }, func(l *loader, t tree) {
		if t.node.Tag != yamlNull {
			l.original = &t
		}
	})
}

// originalMotion reads motion_file_api_cfg.
func (l *loader) originalMotion() *Motion {
	t := *l.original
	top := l.block(t, originalKey, t.node)
	if top == nil {
		return nil
	}
	m := &Motion{FloatType: halfFloat, CheckInterval: time.Minute}
	var kind string
	top.set("type", choice(&kind, "MotionFileApiV1"), false)
	top.set("maintain_check_interval", seconds(&m.CheckInterval), false)
	if meta := top.block("meta_reader_cfg", true); meta != nil {
		meta.database(m)
	}
	if motion := top.block("motion_reader_cfg", true); motion != nil {
		motion.clips(m)
	}
	for i, key := range []string{
		"restpose_reader_cfg", "mesh_reader_cfg", "joints_meta_reader_cfg", "rigids_meta_reader_cfg", "blendshapes_meta_reader_cfg",
	} {
		files := motionKinds[i].files(m)
		if reader := top.block(key, motionKinds[i].required); reader != nil {
			*files = reader.files()
		} else {
			files.Source = m.Clips // the clips have a source, like all other files
		}
	}
	top.done(unusedMotionKeys...)
	l.keptOriginal = top.kept
	l.config.motion.Original = fmt.Sprintf("%s, %s", m.Database.name(), m.Clips.name())
	return m
}

func (d MotionDatabase) name() string {
	if d.MySQL != nil {
		return "MySQL at " + d.MySQL.Host
	}
	return "SQLite " + d.SQLite
}

func (p MotionFileSource) name() string {
	if p.S3 != nil {
		return fmt.Sprintf("bucket %s at %s", p.S3.Bucket, p.S3.Endpoint)
	}
	return "files in " + p.Dir
}

// reader returns the type of a reader if it is one of types, or "" if it is
// not.
func (b *block) reader(types ...string) (kind string) {
	b.set("type", choice(&kind, types...), true)
	return kind
}

func newMotionDatabase(inMySQL bool) MotionDatabase {
	d := MotionDatabase{Table: "motion_record", EnabledColumn: "enabled"}
	if inMySQL {
		d.MySQL = &MySQL{Port: defaultMySQLPort}
	}
	return d
}

// database reads where the records are.
func (b *block) database(m *Motion) {
	const mysql = "MySQLMetaReader"
	kind := b.reader("SQLiteMetaReader", mysql)
	if kind == "" {
		return
	}
	m.Database = newMotionDatabase(kind == mysql)
	b.sql(&m.Database, true)
	b.done(unusedMotionKeys...)
}

// sql reads the keys of a database. If needed is set, the keys without a
// default must be present.
func (b *block) sql(d *MotionDatabase, needed bool) {
	join := "sqlite_join_cmd_path"
	if d.MySQL == nil {
		b.set("sqlite_path", text(&d.SQLite, true), needed)
	} else {
		join = "mysql_join_cmd_path"
		b.set("mysql_host", host(&d.MySQL.Host, "mysql_port", true), needed)
		// The environment supplies a text, which Python drivers accept as a
		// number.
		b.set("mysql_port", number(&d.MySQL.Port, 1, 65535), false, yamlText)
		b.set("mysql_username", text(&d.MySQL.Username, true), needed)
		b.secret("mysql_password", &d.MySQL.Password, mysqlPasswordKey, needed)
		b.set("mysql_database", text(&d.MySQL.Database, true), needed)
	}
	b.set(join, text(&d.JoinFile, false), false)
	b.set("motion_record_table_name", text(&d.Table, true), false)
	b.set("enabled_column_name", text(&d.EnabledColumn, true), false)
}

// secret reads a secret. A value in the settings under key has priority over
// it, and replaces it if it is missing.
func (b *block) secret(name string, target *backend.Secret, key string, needed bool) {
	l := b.loader
	shared := &l.config.motion.MySQL.Password
	if key == s3SecretKeyKey {
		shared = &l.config.motion.S3.SecretKey
	}
	origin := l.origin[originalKey]
	if from := l.origin[key]; shared.IsSet() && from != origin {
		b.take(name)
		*target = *shared
		return
	}
	if needed && !b.has(name) {
		f := b.take(name)
		b.fault(f.line, name, fmt.Sprintf("is missing; want a text, here or in %s", key))
		return
	}
	b.set(name, secret(target, false), false)
	switch {
	case !target.IsSet() || *target == *shared:
	case shared.IsSet(): // another reader has a different secret
		l.ownSecrets = append(l.ownSecrets, b.where(b.take(name).line, name))
	default:
		*shared, l.origin[key] = *target, origin
	}
}

// clips reads where the clips are and how to read them.
func (b *block) clips(m *Motion) {
	const inMySQL, inFolder, inBucket = "MinioMySQLMotionReader", "FilesystemMotionReader", "MinioMotionReader"
	kind := b.reader("SQLiteFilesystemMotionReader", inMySQL, inFolder, inBucket)
	if kind == "" {
		return
	}
	m.Clips = b.source(kind == inMySQL || kind == inBucket)
	if kind == inFolder || kind == inBucket {
		m.ClipFiles = b.paths("file_paths", recordID)
	} else {
		b.sameDatabase(m, kind, kind == inMySQL)
	}
	b.set("float_dtype", floatType(&m.FloatType), false)
	b.set("max_workers", number(&m.MaxWorkers, 1, 1000), false)
	b.done(unusedMotionKeys...)
}

// sameDatabase checks that the reader of clips has the same database as the
// reader of records. This server reads only one database. The original does not
// load anything if the versions of the two databases differ.
func (b *block) sameDatabase(m *Motion, kind string, inMySQL bool) {
	known := m.Database.Table != "" // otherwise meta_reader_cfg has a fault
	d, fits := m.Database, known && (m.Database.MySQL != nil) == inMySQL
	switch {
	case !fits:
		d = newMotionDatabase(inMySQL)
	case inMySQL:
		server := *d.MySQL
		d.MySQL = &server
	}
	b.sql(&d, false)
	if m.Database.JoinFile == "" {
		m.Database.JoinFile = d.JoinFile
	}
	same := d.SQLite == m.Database.SQLite && d.JoinFile == m.Database.JoinFile && d.Table == m.Database.Table &&
		d.EnabledColumn == m.Database.EnabledColumn
	switch {
	case !known:
	case !fits:
		b.fault(b.line, "type", kind+" does not fit the type of meta_reader_cfg: one reads SQLite, and the other MySQL")
	case !same || inMySQL && *d.MySQL != *m.Database.MySQL:
		b.fault(b.line, "", "names another database, join, table or column than meta_reader_cfg; want the same")
	}
}

// files reads a reader of static files.
func (b *block) files() MotionFiles {
	const bucket = "MinioFileReader"
	kind := b.reader("FilesystemFileReader", bucket)
	if kind == "" {
		return MotionFiles{}
	}
	files := MotionFiles{Source: b.source(kind == bucket), Paths: b.paths("file_paths", nil)}
	b.done(unusedMotionKeys...)
	return files
}

// source reads a folder or a bucket.
func (b *block) source(inBucket bool) MotionFileSource {
	var p MotionFileSource
	if !inBucket {
		b.set("root_dir", text(&p.Dir, true), true)
		return p
	}
	p.S3 = &S3{Bucket: defaultBucket}
	b.set("endpoint", endpoint(&p.S3.Endpoint), true)
	b.set("access_key", text(&p.S3.AccessKey, true), true)
	b.secret("secret_key", &p.S3.SecretKey, s3SecretKeyKey, true)
	b.set("bucket_name", text(&p.S3.Bucket, true), false)
	return p
}

// recordID matches the ids of records.
var recordID = regexp.MustCompile(`^[0-9]{1,18}$`)

// paths reads a mapping of names to paths at key. The names must match pattern.
func (b *block) paths(key string, pattern *regexp.Regexp) map[string]string {
	files := b.block(key, true)
	if files == nil {
		return nil
	}
	paths := map[string]string{}
	for _, f := range files.fields {
		var path string
		if pattern != nil && !pattern.MatchString(f.key) {
			files.fault(f.line, f.key, "is not the id of a record; want a whole number")
			continue
		}
		files.set(f.key, localPath(&path), true)
		paths[f.key] = path
	}
	return paths
}

// floatPattern matches the name of a number type, with or without the name of
// its module.
var floatPattern = regexp.MustCompile(`^(?:\w+\.)*(float(?:16|32|64))$`)

// floatType is a number type, such as numpy.float32.
func floatType(target *string) value {
	return textual(target, "float16, float32 or float64", func(s string) (string, error) {
		match := floatPattern.FindStringSubmatch(s)
		if match == nil {
			return "", errNotAllowed
		}
		return match[1], nil
	})
}

// seconds is a duration as a number of seconds.
func seconds(target *time.Duration) value {
	least, most := leastCheckInterval.Seconds(), mostCheckInterval.Seconds()
	return newValue(target, fmt.Sprintf("seconds, from %g to %g", least, most), time.Duration.String, func(s string) (time.Duration, error) {
		n, err := within(least, most, parseFloat)(s)
		return time.Duration(n * float64(time.Second)), err
	}, yamlInteger, yamlFloat)
}

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
