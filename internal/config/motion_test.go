package config

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"web-backend/internal/backend"
)

// onlineVariables are the variables that testdata/motion_online.py reads.
var onlineVariables = map[string]string{
	"MYSQL_HOST": "db", "MYSQL_PORT": "3307", "MYSQL_USER": "motion", "MYSQL_PASSWORD": secretText, "MYSQL_DATABASE": "motions",
	"OSS_ENDPOINT": "oss:9000", "OSS_ACCESS_KEY": "reader", "OSS_SECRET_KEY": secretText,
}

// shownMotion formats m with the targets of its pointers and with its secrets
// revealed.
func shownMotion(m *Motion) string {
	if m == nil {
		return "none"
	}
	source := func(p MotionFileSource) string {
		if p.S3 != nil {
			return fmt.Sprintf("%s %+v %s", p.Dir, *p.S3, p.S3.SecretKey.Reveal())
		}
		return p.Dir
	}
	files := func(f MotionFiles) string { return fmt.Sprintf("%s %q", source(f.Source), f.Paths) }
	server := ""
	if s := m.Database.MySQL; s != nil {
		server = fmt.Sprintf("%+v %s", *s, s.Password.Reveal())
	}
	return strings.Join([]string{
		fmt.Sprintf("database %s %s join %q %s %s", m.Database.SQLite, server, m.Database.JoinFile, m.Database.Table, m.Database.EnabledColumn),
		fmt.Sprintf("clips %s %q %v", source(m.Clips), m.ClipFiles, m.ClipFiles == nil),
		files(m.Restposes), files(m.Meshes), files(m.Joints), files(m.Rigids), files(m.Blendshapes),
		fmt.Sprintf("%v %s %s %d %v %d", m.DefaultAvatars, m.FloatType, m.CheckInterval, m.MaxDownloads, m.Strict, m.MaxWorkers),
	}, "\n")
}

func checkMotion(t *testing.T, got, want *Motion) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf(" got %s\nwant %s", shownMotion(got), shownMotion(want))
	}
}

func TestMotionFolder(t *testing.T) {
	t.Parallel()
	checkMotion(t, MotionFolder("somewhere"), folderMotion("somewhere"))
}

// folderMotion returns the configuration for motion.data_dir alone.
func folderMotion(folder string) *Motion {
	m := &Motion{
		Database: MotionDatabase{SQLite: folder + "/motion_database.db", Table: "motion_record", EnabledColumn: "enabled"},
		Clips:    MotionFileSource{Dir: folder + "/motion_files"}, DefaultAvatars: true,
		FloatType: "float32", CheckInterval: time.Minute, MaxDownloads: 32,
	}
	for _, f := range []*MotionFiles{&m.Restposes, &m.Meshes, &m.Joints, &m.Rigids, &m.Blendshapes} {
		*f = MotionFiles{MotionFileSource{Dir: folder}, map[string]string{}}
	}
	for _, a := range []struct{ key, restpose, mesh string }{
		{"KQ-default", "KQ_default_0326", "keqing"}, {"FNN-default", "FNN_default_0819", "funingna"}, {"HT-default", "HT_default_0819", "hutao"},
		{"NXD-default", "NXD_default_1202", "nahida"}, {"KL-default", "KL_default_1202", "klee"}, {"Ani-default", "Ani_default_0827", "ani"},
	} {
		m.Restposes.Paths[a.key] = "restpose_npz/" + a.restpose + "_skeleton.npz"
		m.Meshes.Paths[a.key] = "mesh_glb/" + a.mesh + ".glb"
		m.Joints.Paths[a.key] = "joints_meta/" + a.key + "_joints_meta.json"
		m.Rigids.Paths[a.key] = "rigids_meta/" + a.key + "_rigids_meta.json"
		m.Blendshapes.Paths[a.key] = "blendshapes_meta/" + a.key + "_blendshapes_meta.json"
	}
	return m
}

// everywhere sets the source of all files of m.
func everywhere(m *Motion, source MotionFileSource) *Motion {
	m.Clips = source
	for _, f := range []*MotionFiles{&m.Restposes, &m.Meshes, &m.Joints, &m.Rigids, &m.Blendshapes} {
		f.Source = source
	}
	return m
}

func TestLoad_Motion(t *testing.T) {
	t.Parallel()
	server := &MySQL{Host: "db", Port: 3306, Username: "u", Password: backend.NewSecret(secretText), Database: "d"}
	bucket := MotionFileSource{S3: &S3{Endpoint: "oss:9000", AccessKey: "a", SecretKey: backend.NewSecret(secretText), Bucket: "3dac", TLS: true}}
	inMySQL := func(m *Motion) *Motion {
		m.Database.SQLite, m.Database.MySQL = "", server
		return m
	}
	set := folderMotion("data")
	set.Database.JoinFile, set.FloatType, set.CheckInterval, set.MaxDownloads, set.Strict = "j.sql", "float16", time.Second, 2, true
	named := folderMotion("data")
	named.DefaultAvatars = false
	named.Restposes.Paths = map[string]string{"a": "r", "b": "r2"}
	named.Meshes.Paths = map[string]string{"a": "x/m", "b": "m2"}
	named.Joints.Paths = map[string]string{"a": "j"}
	named.Rigids.Paths = map[string]string{}
	named.Blendshapes.Paths = map[string]string{"a": "b", "b": "b2"}
	mysql := "mysql: {host: db, username: u, password: " + secretText + ", database: d}"
	s3 := "s3: {endpoint: 'oss:9000', access_key: a, secret_key: " + secretText + ", tls: true}"
	tests := []struct {
		name, yaml string
		env        map[string]string
		want       *Motion
		warnings   []string
	}{
		{"none", "", nil, nil, nil},
		{"variables of others", "", onlineVariables, nil, nil},
		{"folder", "motion: {data_dir: data}", nil, folderMotion("data"), nil},
		{"absolute folder", "", map[string]string{"WEB_BACKEND_MOTION_DATA_DIR": "/srv/x"}, folderMotion("/srv/x"), nil},
		{"every choice", "motion: {data_dir: data, join_file: j.sql, float_type: float16, check_interval: 1s, max_downloads: 2, strict: true}", nil, set, nil},
		{"MySQL and S3", "motion: {" + mysql + ", " + s3 + "}", nil, inMySQL(everywhere(folderMotion(""), bucket)), nil},
		{"MySQL and folder", "motion: {data_dir: data, " + mysql + "}", nil, inMySQL(folderMotion("data")), nil},
		{"SQLite and S3", "motion: {data_dir: data, " + s3 + "}", nil, everywhere(folderMotion("data"), bucket), nil},
		{"folder for nothing", "motion: {data_dir: data, " + mysql + ", " + s3 + "}", nil, inMySQL(everywhere(folderMotion(""), bucket)), []string{
			"c.yaml:1: motion.data_dir: has no effect beside motion.mysql.host and motion.s3.endpoint"}},
		{"variables", "", map[string]string{
			"WEB_BACKEND_MOTION_MYSQL_HOST": "db", "WEB_BACKEND_MOTION_MYSQL_USERNAME": "u", "WEB_BACKEND_MOTION_MYSQL_PASSWORD": secretText,
			"WEB_BACKEND_MOTION_MYSQL_DATABASE": "d", "WEB_BACKEND_MOTION_S3_ENDPOINT": "oss:9000", "WEB_BACKEND_MOTION_S3_ACCESS_KEY": "a",
			"WEB_BACKEND_MOTION_S3_SECRET_KEY": secretText, "WEB_BACKEND_MOTION_S3_TLS": "true",
		}, inMySQL(everywhere(folderMotion(""), bucket)), nil},
		{"avatars", "motion: {data_dir: data, avatars: {a: {restpose: r, mesh: x/m, joints: j, rigids: null, blendshapes: b}, " +
			"b: {restpose: r2, mesh: m2, blendshapes: b2}}}", nil, named, nil},
		{"no avatars", "motion: {data_dir: data, avatars: {}}", nil, folderMotion("data"), nil},
		{"off", "motion: {strict: true, avatars: {a: {restpose: r, mesh: m, blendshapes: b}}}", nil, nil, []string{
			"c.yaml:1: motion.strict: has no effect: motion files are off; set motion.data_dir, or motion.mysql.host and"}},
		{"half", "motion: {data_dir: data, mysql: {username: u}, s3: {tls: true}}", nil, folderMotion("data"), []string{
			"c.yaml:1: motion.mysql.username: has no effect without motion.mysql.host", "c.yaml:1: motion.s3.tls: has no effect without motion.s3.endpoint"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := writeFile(t, "c.yaml", tt.yaml)
			cfg, err := Load(Sources{File: file, Getenv: environment(tt.env)})
			if err != nil {
				t.Fatal(err)
			}
			checkMotion(t, cfg.Motion, tt.want)
			for i, w := range cfg.Warnings {
				cfg.Warnings[i] = strings.TrimPrefix(w, strings.TrimSuffix(file, "c.yaml"))
			}
			if !slices.EqualFunc(cfg.Warnings, tt.warnings, strings.HasPrefix) {
				t.Errorf("warnings %q, want %q", cfg.Warnings, tt.warnings)
			}
		})
	}
}

// The two configurations that come with the original, and the same dict in
// YAML.
func TestLoad_MotionOfTheOriginal(t *testing.T) {
	t.Parallel()
	folder := folderMotion("data")
	folder.DefaultAvatars, folder.CheckInterval, folder.MaxWorkers = false, 30*time.Second, 4
	folder.Database.JoinFile = "configs/3dac_sql_join.sql"
	only := func(m *Motion, kept, joints []string) {
		for _, f := range []*MotionFiles{&m.Restposes, &m.Meshes, &m.Blendshapes, &m.Joints, &m.Rigids} {
			keys := kept
			if f == &m.Joints || f == &m.Rigids {
				keys = joints
			}
			maps.DeleteFunc(f.Paths, func(avatar, _ string) bool { return !slices.Contains(keys, avatar) })
		}
	}
	only(folder, []string{"KQ-default", "Ani-default"}, []string{"KQ-default"})
	online := everywhere(folderMotion(""), MotionFileSource{
		S3: &S3{Endpoint: "oss:9000", AccessKey: "reader", SecretKey: backend.NewSecret(secretText), Bucket: "3dac"},
	})
	online.DefaultAvatars = false
	online.Database.SQLite, online.Database.JoinFile = "", "configs/3dac_sql_join.sql"
	online.Database.MySQL = &MySQL{Host: "db", Port: 3307, Username: "motion", Password: backend.NewSecret(secretText), Database: "motions"}
	only(online, []string{"KQ-default"}, []string{"KQ-default"})
	secrets := map[string]string{"WEB_BACKEND_MOTION_MYSQL_PASSWORD": secretText, "WEB_BACKEND_MOTION_S3_SECRET_KEY": secretText}
	other := maps.Clone(onlineVariables)
	other["MYSQL_PASSWORD"], other["OSS_SECRET_KEY"] = "other", "other"
	maps.Copy(other, secrets)

	tests := []struct {
		file string
		env  map[string]string
		want *Motion
	}{
		{"motion_community.py", nil, folder},
		{"motion_online.py", onlineVariables, online},
		{"motion_online.py", other, online},
		{"motion_online.yaml", secrets, online},
	}
	for _, tt := range tests {
		cfg, err := Load(Sources{File: "testdata/" + tt.file, Getenv: environment(tt.env)})
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		checkMotion(t, cfg.Motion, tt.want)
		if len(cfg.Warnings) > 0 {
			t.Errorf("%s: warnings %q", tt.file, cfg.Warnings)
		}
	}

	tuned, err := Load(Sources{File: "testdata/motion_community.py", Getenv: environment(map[string]string{
		"WEB_BACKEND_MOTION_MAX_DOWNLOADS": "3", "WEB_BACKEND_MOTION_STRICT": "true",
	})})
	if err != nil || tuned.Motion.MaxDownloads != 3 || !tuned.Motion.Strict {
		t.Errorf("with keys beside it: %v, %v", tuned, err)
	}
}

// moduleWith returns testdata/motion_community.py with replacements in its
// text.
func moduleWith(t *testing.T, oldnew ...string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/motion_community.py")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the module lacks %q", oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

func TestLoad_MotionModules(t *testing.T) {
	t.Parallel()
	const reader = "type='SQLiteFilesystemMotionReader',\n        root_dir='data/motion_files',"
	tests := []struct {
		name   string
		oldnew []string
		want   func(m *Motion)
	}{
		{"float type is left out", []string{"        float_dtype=np.float32,\n", ""}, func(m *Motion) { m.FloatType = "float16" }},
		{"float type in numpy", []string{"np.float32", "np.core.float64"}, func(m *Motion) { m.FloatType = "float64" }},
		{"float type imported", []string{"np.float32", "f16", "import os", "import os\nfrom numpy import float16 as f16"}, func(m *Motion) { m.FloatType = "float16" }},
		{"float type as a text", []string{"np.float32", "'float64'"}, func(m *Motion) { m.FloatType = "float64" }},
		{"float type with its module", []string{"np.float32", "'numpy.float64'"}, func(m *Motion) { m.FloatType = "float64" }},
		{"fraction", []string{"interval=30", "interval=0.5"}, func(m *Motion) { m.CheckInterval = 500 * time.Millisecond }},
		{"None", []string{"interval=30", "interval=None"}, func(m *Motion) { m.CheckInterval = time.Minute }},
		{"another table", []string{"'motion_record'", "'records'", "'enabled'", "'on'"}, func(m *Motion) { m.Database.Table, m.Database.EnabledColumn = "records", "on" }},
		{"no join", []string{"os.path.join('configs', '3dac_sql_join.sql')", "None"}, func(m *Motion) { m.Database.JoinFile = "" }},
		{"paths by id", []string{reader, "type='FilesystemMotionReader', root_dir='clips', version=7, file_paths={17: 'a.npz', '18': 'b/c.npz'},",
			"        **__database__),\n    rest", "    ),\n    rest"}, func(m *Motion) {
			m.Clips, m.ClipFiles = MotionFileSource{Dir: "clips"}, map[string]string{"17": "a.npz", "18": "b/c.npz"}
		}},
		{"clips from a bucket", []string{reader, "type='MinioMotionReader', endpoint='oss', access_key='a', secret_key='s', file_paths={},",
			"        **__database__),\n    rest", "    ),\n    rest"}, func(m *Motion) {
			m.Clips = MotionFileSource{S3: &S3{Endpoint: "oss", AccessKey: "a", SecretKey: backend.NewSecret("s"), Bucket: "3dac"}}
			m.ClipFiles = map[string]string{}
		}},
		{"no joints", []string{"joints_meta_reader_cfg=dict(", "joints_meta_reader_cfg=None and dict("}, func(m *Motion) {
			m.Joints = MotionFiles{Source: m.Clips}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want, err := Load(Sources{File: "testdata/motion_community.py"})
			if err != nil {
				t.Fatal(err)
			}
			tt.want(want.Motion)
			got, err := Load(Sources{File: writeFile(t, "c.py", moduleWith(t, tt.oldnew...))})
			if err != nil {
				t.Fatal(err)
			}
			checkMotion(t, got.Motion, want.Motion)
		})
	}
}

// If the readers have different secrets, each reader keeps its own.
func TestLoad_MotionSecretOfEachReader(t *testing.T) {
	t.Parallel()
	const source = "type='MinioFileReader', endpoint='oss', access_key='a', secret_key='%s',\n        name='%s',\n        root_dir='data',"
	module := moduleWith(t)
	for _, name := range []string{"restpose", "mesh"} {
		old := fmt.Sprintf("type='FilesystemFileReader',\n        name='%s_reader',\n        root_dir='data',", name)
		module = strings.ReplaceAll(module, old, fmt.Sprintf(source, "of-"+name, name))
	}
	report := Examine(Sources{File: writeFile(t, "c.py", module)})
	if len(report.Faults) > 0 {
		t.Fatal(report.Faults)
	}
	yaml, err := report.YAML()
	if err != nil || !strings.Contains(yaml, ": motion_file_api_cfg.mesh_reader_cfg.secret_key\n") || strings.Contains(yaml, "restpose_reader_cfg.secret_key\n") ||
		strings.Contains(yaml, "of-") {
		t.Errorf("the YAML does not say where the second secret goes: %v\n%s", err, yaml)
	}
	motion := report.Config.Motion
	for want, files := range map[string]MotionFiles{"of-restpose": motion.Restposes, "of-mesh": motion.Meshes} {
		if files.Source.S3 == nil || files.Source.S3.SecretKey.Reveal() != want {
			t.Errorf("got %+v, want the secret %s", files.Source.S3, want)
		}
	}
}

func TestLoad_MotionFaults(t *testing.T) {
	t.Parallel()
	const line = "c.py:17: motion_file_api_cfg."
	module := func(oldnew ...string) [2]string { return [2]string{"c.py", moduleWith(t, oldnew...)} }
	yaml := func(text string) [2]string { return [2]string{"c.yaml", text} }
	tests := []struct {
		name string
		file [2]string
		want []string
	}{
		{"MySQL without the rest", yaml("motion:\n  mysql: {host: db}"), []string{
			"c.yaml:2: motion.mysql.host: needs motion.mysql.username as well", "c.yaml:2: motion.mysql.host: needs motion.mysql.database as well",
			"c.yaml:2: motion.mysql.host: needs a source of the files, motion.data_dir or motion.s3.endpoint, as well"}},
		{"S3 without the rest", yaml("motion:\n\n  s3: {endpoint: oss}"), []string{
			"c.yaml:3: motion.s3.endpoint: needs a database of the records, motion.mysql.host or motion.data_dir, as well",
			"c.yaml:3: motion.s3.endpoint: needs motion.s3.access_key as well", "c.yaml:3: motion.s3.endpoint: needs motion.s3.secret_key as well"}},
		{"bad values", yaml("motion: {float_type: float8, check_interval: 1ms, max_downloads: 0, strict: 5, s3: {endpoint: 'http://oss/'}}"), []string{
			`c.yaml:1: motion.float_type: "float8" is not allowed; want one of float16, float32, float64`,
			`c.yaml:1: motion.check_interval: "1ms" is not allowed; want a duration`, `c.yaml:1: motion.max_downloads: "0" is not allowed`,
			`c.yaml:1: motion.strict: "5" is not allowed`, `c.yaml:1: motion.s3.endpoint: "http://oss/" is not allowed; want a server such as`}},
		{"unknown keys", yaml("motion: {dir: x, mysql: {user: u}}"), []string{
			"c.yaml:1: motion.dir: unknown key; the keys here are data_dir, join_file", "c.yaml:1: motion.mysql.user: unknown key; the keys here are host, port"}},
		{"avatars", yaml("motion:\n  data_dir: d\n  avatars:\n    a: {restpose: r, mesh: ../m, joint: j}\n    b: x\n    b: y\n    c: null\n    d: {restpose: [r], mesh: 5}\n"), []string{
			"c.yaml:6: motion.avatars.b: stands twice", `c.yaml:4: motion.avatars.a.mesh: "../m" is not allowed; want a path below`,
			"c.yaml:4: motion.avatars.a.blendshapes: is missing; want a path", "c.yaml:4: motion.avatars.a.joint: unknown key; the keys here are restpose, mesh",
			"c.yaml:5: motion.avatars.b: want keys with values", "c.yaml:7: motion.avatars.c: is missing; want keys with values",
			"c.yaml:8: motion.avatars.d.restpose: a list is not allowed", `c.yaml:8: motion.avatars.d.mesh: "5" is not allowed`,
			"c.yaml:8: motion.avatars.d.blendshapes: is missing"}},
		{"avatars are no mapping", yaml("motion: {avatars: [a]}"), []string{"c.yaml:1: motion.avatars: want keys with values"}},
		{"no dict", [2]string{"c.py", "motion_file_api_cfg = 5"}, []string{"c.py:1: motion_file_api_cfg: want keys with values"}},
		{"nothing in YAML", yaml("motion_file_api_cfg: {}"), []string{
			"c.yaml:1: motion_file_api_cfg.meta_reader_cfg: is missing", "c.yaml:1: motion_file_api_cfg.motion_reader_cfg: is missing",
			"c.yaml:1: motion_file_api_cfg.restpose_reader_cfg: is missing", "c.yaml:1: motion_file_api_cfg.mesh_reader_cfg: is missing",
			"c.yaml:1: motion_file_api_cfg.blendshapes_meta_reader_cfg: is missing"}},
		{"unknown types", module("'MotionFileApiV1'", "'V2'", "'SQLiteMetaReader'", "'PostgresMetaReader'", "'SQLiteFilesystemMotionReader'", "'X'",
			"type='FilesystemFileReader',\n        name='mesh_reader'", "name='mesh_reader'"), []string{
			line + "type: a text is not allowed; want one of MotionFileApiV1",
			line + "meta_reader_cfg.type: a text is not allowed; want one of SQLiteMetaReader, MySQLMetaReader",
			line + "motion_reader_cfg.type: a text is not allowed; want one of SQLiteFilesystemMotionReader, MinioMySQLMotionReader, FilesystemMotionReader, MinioMotionReader",
			line + "mesh_reader_cfg.type: is missing; want one of FilesystemFileReader, MinioFileReader"}},
		{"wrong types", module("interval=30", "interval='30'", "root_dir='data/motion_files'", "root_dir=5", "max_workers=4,\n        **", "max_workers='4',\n        **",
			"np.float32", "np.int32", "'mesh_glb/ani.glb'", "None", "sqlite_path='data/motion_database.db'", "sqlite_path=['data']"), []string{
			line + "maintain_check_interval: a text is not allowed; want seconds, from 0.1 to 86400",
			line + "meta_reader_cfg.sqlite_path: a list is not allowed; want a text that is not empty",
			line + "motion_reader_cfg.root_dir: a whole number is not allowed",
			line + "motion_reader_cfg.sqlite_path: a list is not allowed",
			line + "motion_reader_cfg.float_dtype: has no value: it comes from module numpy, which is not read; want float16, float32 or float64",
			line + "motion_reader_cfg.max_workers: a text is not allowed; want a whole number",
			line + "mesh_reader_cfg.file_paths.Ani-default: is missing; want a path"}},
		{"missing", module("    sqlite_path='data/motion_database.db',\n", "\n", "        root_dir='data/motion_files',\n", "", "file_paths={'KQ-default': 'mesh", "paths={'KQ-default': 'mesh"), []string{
			line + "meta_reader_cfg.sqlite_path: is missing", line + "motion_reader_cfg.root_dir: is missing", line + "mesh_reader_cfg.file_paths: is missing"}},
		{"another float type", module("np.float32", "'bfloat16'"), []string{line + "motion_reader_cfg.float_dtype: a text is not allowed; want float16"}},
		{"computed float type", module("np.float32", "np.float32(1)"), []string{line + "motion_reader_cfg.float_dtype: has no value: it comes from module numpy"}},
		{"another database", module("max_workers=4,\n        **__database__", "sqlite_path='other.db'"), []string{
			line + "motion_reader_cfg: names another database, join, table or column than meta_reader_cfg; want the same"}},
		{"databases of two kinds", module("type='SQLiteMetaReader', **__database__",
			"type='MySQLMetaReader', mysql_host='h', mysql_username='u', mysql_password='', mysql_database='d'"), []string{
			line + "motion_reader_cfg.type: SQLiteFilesystemMotionReader does not fit the type of meta_reader_cfg"}},
		{"paths that lead out", module("'mesh_glb/ani.glb'", "'/a.glb'", "'mesh_glb/keqing.glb'", "'a/../../b'"), []string{
			line + "mesh_reader_cfg.file_paths.KQ-default: a text is not allowed; want a path below the folder", line + "mesh_reader_cfg.file_paths.Ani-default: a text"}},
		{"no id", module("type='SQLiteFilesystemMotionReader'", "type='FilesystemMotionReader', file_paths={'x': 'a.npz', -1: 'b.npz'}"), []string{
			line + "motion_reader_cfg.file_paths.x: is not the id of a record; want a whole number", line + "motion_reader_cfg.file_paths.-1: is not the id"}},
		{"no variables", [2]string{"c.py", "import os\nmotion_file_api_cfg = dict(meta_reader_cfg=dict(type='MySQLMetaReader', mysql_host=os.getenv('H'),\n" +
			"    mysql_port='x', mysql_password=os.getenv('P')))"}, []string{
			"c.py:2: motion_file_api_cfg.meta_reader_cfg.mysql_host: is missing", "c.py:2: motion_file_api_cfg.meta_reader_cfg.mysql_port: a text is not allowed",
			"c.py:2: motion_file_api_cfg.meta_reader_cfg.mysql_username: is missing",
			"c.py:2: motion_file_api_cfg.meta_reader_cfg.mysql_password: is missing; want a text, here or in motion.mysql.password",
			"c.py:2: motion_file_api_cfg.meta_reader_cfg.mysql_database: is missing", "c.py:2: motion_file_api_cfg.motion_reader_cfg: is missing",
			"c.py:2: motion_file_api_cfg.restpose_reader_cfg: is missing", "c.py:2: motion_file_api_cfg.mesh_reader_cfg: is missing",
			"c.py:2: motion_file_api_cfg.blendshapes_meta_reader_cfg: is missing"}},
		{"both forms", [2]string{"c.py", moduleWith(t) + "motion = dict(data_dir='data', strict=True, s3=dict(tls=True))\n"}, []string{
			"c.py:66: motion.data_dir: stands beside motion_file_api_cfg, which says it itself; want the one or the other",
			"c.py:66: motion.s3.tls: stands beside motion_file_api_cfg"}},
		{"unknown key in YAML", yaml("motion_file_api_cfg:\n  meta_reader_cfg:\n    type: SQLiteMetaReader\n    sqlite_path: a\n    sqlite_pat: b\n  meta_reader_cfg: {}\n  " +
			strings.Join([]string{"motion", "restpose", "mesh", "blendshapes_meta"}, "_reader_cfg: null\n  ") + "_reader_cfg: null"), []string{
			"c.yaml:6: motion_file_api_cfg.meta_reader_cfg: stands twice",
			"c.yaml:5: motion_file_api_cfg.meta_reader_cfg.sqlite_pat: unknown key; the keys here are type, sqlite_path, sqlite_join_cmd_path, ",
			"c.yaml:7: motion_file_api_cfg.motion_reader_cfg: is missing", "c.yaml:8: motion_file_api_cfg.restpose_reader_cfg: is missing",
			"c.yaml:9: motion_file_api_cfg.mesh_reader_cfg: is missing", "c.yaml:10: motion_file_api_cfg.blendshapes_meta_reader_cfg: is missing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := faultsOf(t, Sources{File: writeFile(t, tt.file[0], tt.file[1]), Getenv: environment(nil)})
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf(" got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
			}
		})
	}
}

// In a Python module, an unknown key of a reader is ignored with a warning.
func TestLoad_MotionUnknownKeyInPython(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "c.py", moduleWith(t, "name='mesh_reader'", "colour='red'"))
	cfg, err := Load(Sources{File: file})
	want := []string{file + ":17: motion_file_api_cfg.mesh_reader_cfg.colour: is not a key of this server and is ignored"}
	if err != nil || !slices.Equal(cfg.Warnings, want) {
		t.Errorf("got %v, %v", cfg, err)
	}
}

// No fault, warning, entry or YAML output may contain a secret of the motion
// settings.
func TestExamine_NoSecretOfMotion(t *testing.T) {
	t.Parallel()
	python := func(reader string) [2]string {
		return [2]string{"c.py", "import os\nmotion_file_api_cfg = dict(meta_reader_cfg=dict(type='MySQLMetaReader', " + reader + "))"}
	}
	files := [][2]string{
		python("mysql_password='SECRET'"), python("mysql_password=['SECRET']"), python("mysql_password=5, mysql_host=[os.environ['S']]"),
		python("mysql_port=os.environ['S']"), python("mysql_host={os.environ['S']: 1}"), python("mysql_password={'SECRET': 1}"),
		{"c.py", "import os\nmotion_file_api_cfg = os.environ['S']"}, {"c.py", "motion_file_api_cfg = dict(mesh_reader_cfg='SECRET')"},
		{"c.yaml", "motion: {mysql: {password: SECRET, host: db}}"}, {"c.yaml", "motion: {mysql: {password: [SECRET]}}"},
		{"c.yaml", "motion: {s3: {secret_key: SECRET, endpoint: 'u:SECRET@oss'}}"}, {"c.yaml", "motion: {s3: {endpoint: 'http://u:SECRET@oss'}}"},
		{"c.yaml", "motion: {data_dir: {mysql: {password: SECRET}}}"},
		{"c.yaml", "motion: {avatars: {a: [SECRET]}}"}, {"c.yaml", "motion: {s3: {endpoint: ['http://u:SECRET" + strings.Repeat("x", 90) + "@oss']}}"},
		{"c.yaml", "motion_file_api_cfg: {mesh_reader_cfg: {type: MinioFileReader, endpoint: 'u:SECRET" + strings.Repeat("x", 90) + "@oss'}}"}, {"c.yaml", "motion: {s3: {secret_key:SECRET}}"},
		{"c.yaml", "motion_file_api_cfg: {meta_reader_cfg: {type: MySQLMetaReader, mysql_password: SECRET, mysql_password: SECRET}}"},
		{"c.yaml", "motion_file_api_cfg: {meta_reader_cfg: {type: MySQLMetaReader, mysql_password:SECRET}}"},
		{"c.yaml", "motion_file_api_cfg: {mesh_reader_cfg: {type: MinioFileReader, secret_key: {SECRET: 1}, endpoint: 'http://u:SECRET@oss'}}"},
		{"c.yaml", "motion_file_api_cfg: {mesh_reader_cfg: !unknown SECRET, restpose_reader_cfg: {type: MinioFileReader, secret_key: !unknown SECRET}}"},
	}
	good := [][2]string{{"c.py", moduleWith(t, "motion_reader_cfg=dict(",
		"motion_reader_cfg=dict(type='MinioMotionReader', endpoint='o', access_key='a', secret_key='SECRET', file_paths={}) if True else dict(")}}
	for i, file := range append(files, good...) {
		text := strings.ReplaceAll(file[1], "SECRET", secretText)
		report := Examine(Sources{File: writeFile(t, file[0], text), Getenv: environment(map[string]string{"S": secretText})})
		if failed := len(report.Faults) > 0; failed != (i < len(files)) {
			t.Errorf("%s: faults %v", text, report.Faults)
		}
		yaml, err := report.YAML()
		shown := fmt.Sprintf("%v %q %+v %s %v %+v %#v", report.Faults, report.Config.Warnings, report.Entries(), yaml, err, report.Config, report.Config)
		if m := report.Config.Motion; m != nil {
			shown += fmt.Sprintf("%+v %+v %#v", *m, m.Clips.S3, m.Clips.S3)
		}
		if strings.Contains(shown, secretText) {
			t.Errorf("%s\nshows %s", text, shown)
		}
	}
}

func TestExamine_MotionEntries(t *testing.T) {
	t.Parallel()
	got := map[string]Entry{}
	for _, e := range Examine(Sources{File: "testdata/motion_online.py", Getenv: environment(onlineVariables)}).Entries() {
		got[e.Key] = e
	}
	const source = "testdata/motion_online.py:23"
	for key, want := range map[string][2]string{
		"motion_file_api_cfg":   {"MySQL at db, bucket 3dac at oss:9000", source},
		"motion.mysql.password": {"***", source}, "motion.s3.secret_key": {"***", source}, "motion.data_dir": {"", "default"},
	} {
		if e := got[key]; want != [2]string{e.Value, e.Source} {
			t.Errorf("%s: got %+v, want %q", key, e, want)
		}
	}
	avatars := Examine(Sources{File: writeFile(t, "c.yaml",
		"motion: {data_dir: d, avatars: {b: {restpose: r, mesh: m, blendshapes: b}, a: {restpose: r, mesh: m, blendshapes: b}}}")})
	for _, e := range avatars.Entries() {
		if e.Key == "motion.avatars" && e.Value != "a, b" {
			t.Errorf("got %+v", e)
		}
	}
}
