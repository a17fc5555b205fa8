// Package motion tests the sources of motion files against real servers:
// MariaDB and a server that speaks S3.
package motion

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"web-backend/internal/backend"
	"web-backend/internal/cli"
	"web-backend/internal/motion"
	"web-backend/internal/motion/motionpb"
	"web-backend/internal/motion/source"
)

// goldenFolder returns the data folder that was created with real NumPy.
func goldenFolder(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../internal/motion/testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The parts run in order. The servers are started once and stopped at the end.
func TestSources(t *testing.T) {
	golden := goldenFolder(t) // the S3 server changes the working folder
	db := startMariaDB(t)
	s3 := startGateway(t)
	t.Run("golden", testGolden(golden, db, s3))
	t.Run("values", testValues(db))
	t.Run("version", testVersion(db))
	t.Run("snapshot", testSnapshot(db))
	t.Run("refused by MySQL", testMySQLRefusals(db))
	t.Run("objects", testObjects(s3))
	t.Run("program", testProgram(golden, db, s3))
	t.Run("outages", testOutages(golden, db, s3))
}

// staticPaths returns the golden static files, by kind and avatar.
func staticPaths(t *testing.T, golden string) [5]map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(golden, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Files map[string]map[string]string }
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	return [...]map[string]string{want.Files["restpose"], want.Files["mesh"], want.Files["joints"], want.Files["rigids"], want.Files["blendshapes"]}
}

func newSources(t *testing.T, golden string, database motion.Database, clips, static motion.FileSource) motion.Sources {
	t.Helper()
	s := motion.Sources{Database: database, Clips: clips}
	for kind, paths := range staticPaths(t, golden) {
		s.Static[kind] = motion.Files{Source: static, Paths: paths}
	}
	return s
}

// MySQL and S3 return the same bytes as SQLite and a folder, with the built-in
// join and with the join of the original.
func testGolden(golden string, db *mariaDB, s3 *gateway) func(t *testing.T) {
	return func(t *testing.T) {
		original := filepath.Join(golden, "3dac_sql_join.sql")
		folder := newSources(t, golden,
			source.NewSQLite(filepath.Join(golden, "motion_database.db"), source.Query{JoinFile: original, Table: "motion_record", EnabledColumn: "enabled"}),
			source.NewFolder(filepath.Join(golden, "motion_files")), source.NewFolder(golden))
		bucket := source.NewS3(s3.options())
		for _, join := range []string{original, ""} {
			for _, kind := range []motion.FloatType{motion.Float16, motion.Float32} {
				options := motion.Options{FloatType: kind, Strict: true}
				want := load(t, folder, options)
				got := load(t, newSources(t, golden, db.database("motion", join), bucket, bucket), options)
				if !slices.Equal(got.Keywords(), want.Keywords()) || len(got.Keywords()) == 0 {
					t.Errorf("the keywords are %q, want %q", got.Keywords(), want.Keywords())
				}
				if content := contentOf(got.Version()); content != contentOf(want.Version()) {
					t.Errorf("the version of the content is %s, want %s", content, contentOf(want.Version()))
				}
				compareResponses(t, got, want)
			}
		}
	}
}

func load(t *testing.T, sources motion.Sources, options motion.Options) *motion.Generation {
	t.Helper()
	g, err := motion.Load(t.Context(), sources, options)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// contentOf returns a version without the version of the database.
func contentOf(version string) string { return version[strings.LastIndex(version, "-")+1:] }

func compareResponses(t *testing.T, got, want *motion.Generation) {
	t.Helper()
	total := 0
	for _, class := range []string{
		"RestposeV1Request", "MeshV1Request", "JointsMetaV1Request", "RigidsMetaV1Request", "BlendshapesMetaV1Request", "MotionFileV1Request",
	} {
		for _, avatar := range []string{"KQ-default", "Ani-default", "HT-default", "nobody"} {
			for _, app := range []string{"", "babylon"} {
				gotMessages, gotErr := ask(t, got, class, avatar, app)
				wantMessages, wantErr := ask(t, want, class, avatar, app)
				if (gotErr == nil) != (wantErr == nil) || !slices.EqualFunc(gotMessages, wantMessages, bytes.Equal) {
					t.Errorf("%s %s %q: got %d messages and %v, want %d and %v, or they differ", class, avatar, app,
						len(gotMessages), gotErr, len(wantMessages), wantErr)
				}
				total += len(gotMessages)
			}
		}
	}
	if total < 100 {
		t.Errorf("compared %d messages only", total)
	}
}

// ask returns the messages of g for a request, as clients receive them.
func ask(t *testing.T, g *motion.Generation, class, avatar, app string) (messages [][]byte, err error) {
	t.Helper()
	raw, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: class, Avatar: avatar, AppName: app})
	if err != nil {
		t.Fatal(err)
	}
	request, err := motion.ParseRequest(raw)
	if err != nil {
		return nil, err
	}
	for message, err := range g.Respond(t.Context(), request) {
		if err != nil {
			return messages, err
		}
		all := message.Head
		if message.File != nil {
			content, err := io.ReadAll(io.NewSectionReader(message.File, 0, message.File.Size()))
			if err != nil {
				t.Fatal(err)
			}
			all = slices.Concat(all, content)
		}
		messages = append(messages, all)
	}
	return messages, nil
}

// writeJoin writes the file of a join and returns its path.
func writeJoin(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "join.sql")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Values are converted to the types of a row. If several columns have the same
// name, the last one is used.
func testValues(db *mariaDB) func(t *testing.T) {
	return func(t *testing.T) {
		db.exec(`CREATE TABLE motion.kinds (id INT, tiny TINYINT, small SMALLINT UNSIGNED, medium MEDIUMINT, big BIGINT, huge BIGINT UNSIGNED,
	  years YEAR, bits BIT(12), float_ FLOAT, double_ DOUBLE, decimal_ DECIMAL(6,3), text_ TEXT, blob_ BLOB, set_ SET('idle','listen','leave'),
	  json_ JSON, char_ CHAR(3), enum_ ENUM('a','b'), day DATE, nothing INT, twice INT)`)
		db.exec(`INSERT INTO motion.kinds VALUES (11, -128, 65535, -8388608, -9223372036854775808, 18446744073709551615,
	  2026, b'100000000001', 0.1, 0.1, 29.970, 'ü', x'00ff', 'leave,idle', '[[1, 2]]', 'abc', 'b', '2026-11-28', NULL, 1)`)
		defer db.exec("DROP TABLE motion.kinds")
		join := writeJoin(t, "SELECT mr.motion_record_id, k.*, 2 AS twice\nFROM motion_record mr LEFT JOIN kinds k ON k.id = mr.motion_record_id;\n")
		table, err := db.database("motion", join).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := motion.Row{
			"motion_record_id": int64(11), "id": int64(11), "tiny": int64(-128), "small": int64(65535), "medium": int64(-8388608),
			"big": int64(-9223372036854775808), "huge": "18446744073709551615", "years": int64(2026), "bits": int64(0b100000000001),
			"float_": 0.1, "double_": 0.1, "decimal_": 29.97, "text_": "ü", "blob_": "\x00\xff", "set_": "idle,leave",
			"json_": "[[1, 2]]", "char_": "abc", "enum_": "b", "day": "2026-11-28", "nothing": nil, "twice": int64(2),
		}
		i := slices.IndexFunc(table.Rows, func(row motion.Row) bool { return row["motion_record_id"] == int64(11) })
		if i < 0 {
			t.Fatalf("record 11 is none of %d", len(table.Rows))
		}
		for _, column := range slices.Sorted(maps.Keys(want)) {
			if got := table.Rows[i][column]; !reflect.DeepEqual(got, want[column]) {
				t.Errorf("%s is %#v, want %#v", column, got, want[column])
			}
		}
		enabled := 0
		if err := db.admin.QueryRow("SELECT COUNT(*) FROM motion.motion_record WHERE enabled = 1").Scan(&enabled); err != nil || len(table.Rows) != enabled {
			t.Errorf("got %d records, %v, want the %d that are enabled", len(table.Rows), err, enabled)
		}
	}
}

// The fingerprint changes when the data that is read changes, and only then.
func testVersion(db *mariaDB) func(t *testing.T) {
	return func(t *testing.T) {
		none, err := db.database("empty", "").Read(t.Context())
		if err != nil || none.Version != "None" || len(none.Rows) != 0 {
			t.Errorf("without a change: the version is %q with %d rows, %v, want None", none.Version, len(none.Rows), err)
		}
		motionDB := db.database("motion", "")
		fingerprint := func() string {
			t.Helper()
			f, err := motionDB.Fingerprint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		table, err := motionDB.Read(t.Context())
		if err != nil || !regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`).MatchString(table.Version) {
			t.Errorf("the version is %q, %v, want a time", table.Version, err)
		}
		before := fingerprint()
		for _, c := range []struct {
			do, undo string
			changes  bool
		}{
			{"SELECT 1", "SELECT 1", false},
			{"CREATE TABLE motion.other (id INT); INSERT INTO motion.other VALUES (1)", "DROP TABLE motion.other", false},
			{"UPDATE motion.motion_record SET labels = 'x' WHERE enabled = 0", "UPDATE motion.motion_record SET labels = NULL WHERE enabled = 0", false},
			{"UPDATE motion.motion_record SET enabled = 0 WHERE motion_record_id = 11", "UPDATE motion.motion_record SET enabled = 1 WHERE motion_record_id = 11", true},
			{"UPDATE motion.avatar SET avatar_name = 'XY-default' WHERE avatar_name = 'KQ-default'", "UPDATE motion.avatar SET avatar_name = 'KQ-default' WHERE avatar_name = 'XY-default'", true},
			{"UPDATE motion.random SET cutoff_frames = '[0]' WHERE random_id = 149", "UPDATE motion.random SET cutoff_frames = '[1,2]' WHERE random_id = 149", true},
		} {
			db.exec(c.do)
			if got := fingerprint(); (got != before) != c.changes {
				t.Errorf("%s: the fingerprint is %s, before %s", c.do, got, before)
			}
			db.exec(c.undo)
			if got := fingerprint(); got != before {
				t.Errorf("%s: the fingerprint is %s, before %s", c.undo, got, before)
			}
		}
	}
}

// The ids and the rows are from the same moment, even while another client
// writes.
func testSnapshot(db *mariaDB) func(t *testing.T) {
	return func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			for i := 0; ctx.Err() == nil; i++ {
				// One of the two records is enabled and marked.
				id := 11 + 4*(i%2)
				_, err := db.admin.Exec("UPDATE motion.motion_record SET enabled = (motion_record_id = ?), recovery_frame = (motion_record_id = ?)"+
					" WHERE motion_record_id IN (11, 15)", id, id)
				if err != nil {
					done <- err
					return
				}
			}
			_, err := db.admin.Exec("UPDATE motion.motion_record SET enabled = 1, recovery_frame = 5 WHERE motion_record_id IN (11, 15)")
			done <- err
		}()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		database := db.database("motion", "")
		for range 60 {
			table, err := database.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range table.Rows {
				if id := row["motion_record_id"]; (id == int64(11) || id == int64(15)) && row["recovery_frame"] == int64(0) {
					t.Fatalf("record %v is of two moments", id)
				}
			}
		}
	}
}

func testMySQLRefusals(db *mariaDB) func(t *testing.T) {
	return func(t *testing.T) {
		const wrong = "a wrong password"
		password, user, name, table := db.options("motion", ""), db.options("motion", ""), db.options("nowhere", ""), db.options("motion", "")
		password.Password = backend.NewSecret(wrong)
		user.Username = "nobody"
		table.Query.Table = "motion_records"
		for _, c := range []struct {
			name, text string
			options    source.MySQLOptions
		}{
			{"password", "Access denied for user 'reader'", password},
			{"user", "Access denied for user 'nobody'", user},
			{"database", "to database 'nowhere'", name},
			{"table", "motion_records' doesn't exist", table},
			{"no id", "gives no column motion_record_id", db.options("motion", writeJoin(t, "SELECT 1 AS x"))},
			{"a write", "denied", db.options("motion", writeJoin(t, "DELETE FROM motion_record"))},
			{"two statements", "SQL syntax", db.options("motion", writeJoin(t, "SELECT 1; SELECT 2"))},
		} {
			_, err := source.NewMySQL(c.options).Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), c.options.Database+" of 127.0.0.1:") {
				t.Errorf("%s: got %v, want %q", c.name, err, c.text)
				continue
			}
			for _, secret := range []string{wrong, readerPassword} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s: the error shows the password: %v", c.name, err)
				}
			}
		}
	}
}

func testObjects(s3 *gateway) func(t *testing.T) {
	return func(t *testing.T) {
		bucket := source.NewS3(s3.options())
		file, err := bucket.Open(t.Context(), oddKey)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		before, err := bucket.Fingerprint(t.Context(), oddKey)
		if err != nil || before == "" {
			t.Fatalf("the fingerprint is %q, %v", before, err)
		}
		s3.put(oddKey, strings.ToUpper(oddContents))
		after, err := bucket.Fingerprint(t.Context(), oddKey)
		if err != nil || after == before {
			t.Errorf("the fingerprint after a change is %q, %v, before %q", after, err, before)
		}
		content, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
		if err != nil || string(content) != oddContents {
			t.Errorf("what is open reads %q, %v, want %q", content, err, oddContents)
		}
		noBucket, key, secret := s3.options(), s3.options(), s3.options()
		noBucket.Bucket, key.AccessKey, secret.SecretKey = "nowhere", "nobody", backend.NewSecret("a wrong key")
		for _, c := range []struct {
			name, key, text string
			options         source.S3Options
			unavailable     bool
		}{
			{"key", "clip.npz", "not exist", s3.options(), false},
			{"bucket", oddKey, "NoSuchBucket: check the name", noBucket, true},
			{"access key", oddKey, "check the endpoint and the access key", key, true},
			{"secret key", oddKey, "SignatureDoesNotMatch: check the secret key", secret, true},
		} {
			bucket := source.NewS3(c.options)
			_, err := bucket.Open(t.Context(), c.key)
			if err == nil || !strings.Contains(err.Error(), c.text) || errors.Is(err, motion.ErrUnavailable) != c.unavailable ||
				errors.Is(err, fs.ErrNotExist) == c.unavailable {
				t.Errorf("%s: got %v, want %q", c.name, err, c.text)
			}
			if _, headErr := bucket.Fingerprint(t.Context(), c.key); headErr == nil {
				t.Errorf("%s: there is a fingerprint", c.name)
			} else if text := fmt.Sprint(err, headErr); strings.Contains(text, objectKey) || strings.Contains(text, "a wrong key") {
				t.Errorf("%s: the error shows the secret key: %s", c.name, text)
			}
		}
	}
}

// lines are the lines of a log.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// wait returns the next line that contains text.
func (l lines) wait(t *testing.T, text string) string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, text) {
				return line
			}
		case <-limit:
			t.Fatalf("the log does not say %q", text)
		}
	}
}

// The motion files that were loaded before a source went away stay in use.
func testOutages(golden string, db *mariaDB, s3 *gateway) func(t *testing.T) {
	return func(t *testing.T) {
		log := make(lines, 1000)
		bucket := source.NewS3(s3.options())
		library := motion.NewLibrary(newSources(t, golden, db.database("motion", ""), bucket, bucket), motion.LibraryOptions{
			Options: motion.Options{FloatType: motion.Float32}, CheckInterval: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			library.Run(ctx)
		}()
		t.Cleanup(func() {
			cancel()
			<-done
		})
		log.wait(t, "motion files loaded")
		first := library.Current()

		db.exec("UPDATE motion.motion_record SET enabled = 0 WHERE motion_record_id = 11")
		log.wait(t, "motion files loaded")
		second := library.Current()
		if first == second || library.Status().Faults != 0 {
			t.Errorf("after a change: %+v", library.Status())
		}

		db.stop()
		line := log.wait(t, "motion files cannot be loaded")
		messages, err := ask(t, second, "MotionFileV1Request", "KQ-default", "babylon")
		if library.Current() != second || err != nil || len(messages) != 22 || !strings.Contains(line, "keeps_the_last=true") {
			t.Errorf("without MariaDB there are %d messages, %v; the log: %s", len(messages), err, line)
		}
		if strings.Contains(line, readerPassword) {
			t.Errorf("the log shows the password: %s", line)
		}

		s3.stop()
		if _, err := bucket.Open(t.Context(), oddKey); !errors.Is(err, motion.ErrUnavailable) {
			t.Errorf("without the S3 server: got %v", err)
		}
		// The meshes are already open, whatever happens to the bucket.
		if messages, err = ask(t, second, "MeshV1Request", "KQ-default", ""); err != nil || len(messages) != 1 {
			t.Errorf("without the S3 server there are %d messages, %v", len(messages), err)
		}
	}
}

// testProgram runs the program with the configuration that a user would write.
func testProgram(golden string, db *mariaDB, s3 *gateway) func(t *testing.T) {
	return func(t *testing.T) {
		folder := t.TempDir() // the S3 server uses the working folder
		for name, value := range map[string]string{
			"PORT": "0", "DATA_DIR": filepath.Join(folder, "data"), "LOG_PATH": filepath.Join(folder, "log"),
			"MOTION_MYSQL_HOST": "127.0.0.1", "MOTION_MYSQL_PORT": strconv.Itoa(db.port), "MOTION_MYSQL_USERNAME": "reader",
			"MOTION_MYSQL_PASSWORD": readerPassword, "MOTION_MYSQL_DATABASE": "motion", "MOTION_S3_ENDPOINT": s3.address,
			"MOTION_S3_ACCESS_KEY": accessKey, "MOTION_S3_SECRET_KEY": objectKey, "MOTION_S3_BUCKET": bucketName,
		} {
			t.Setenv("WEB_BACKEND_"+name, value)
		}
		ctx, cancel := context.WithCancel(t.Context())
		output := make(lines, 1000)
		done := make(chan int, 1)
		go func() {
			done <- cli.Main(ctx, []string{"serve"}, cli.Streams{Out: output, Err: output, Getenv: os.LookupEnv})
		}()
		t.Cleanup(func() {
			cancel()
			if status := <-done; status != 0 {
				t.Errorf("the program ends with %d", status)
			}
		})
		line := output.wait(t, "listening on http://")
		_, address, _ := strings.Cut(line, "listening on ")
		response, err := http.Get(strings.Fields(address)[0] + "/api/v1/motion_keywords")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var got, want struct {
			Keywords []string `json:"motion_keywords"`
		}
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("the response to the keywords is %s, %v", response.Status, err)
		}
		expected, err := os.ReadFile(filepath.Join(golden, "expected.json"))
		if err == nil {
			err = json.Unmarshal([]byte(strings.Replace(string(expected), `"keywords"`, `"motion_keywords"`, 1)), &want)
		}
		if err != nil || !slices.Equal(got.Keywords, want.Keywords) || len(want.Keywords) == 0 {
			t.Errorf("the keywords are %q, want %q, %v", got.Keywords, want.Keywords, err)
		}
	}
}
