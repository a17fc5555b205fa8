package demo

import (
	"errors"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"
)

// tables creates the nine tables of motion contract §2.1.
const tables = `
CREATE TABLE motion_record (motion_record_id INTEGER PRIMARY KEY, motion_file_id INTEGER, motion_keyword_id INTEGER,
  speech_keyword_id INTEGER, random_id INTEGER, loop_id INTEGER, states TEXT, labels TEXT, is_idle_long INTEGER,
  is_random_quiet INTEGER, is_random_audio INTEGER, startup_frame INTEGER, recovery_frame INTEGER, enabled INTEGER);
CREATE TABLE motion_file (motion_file_id INTEGER PRIMARY KEY, origin_id INTEGER, armature_id INTEGER, n_frames INTEGER,
  fps REAL, oss_bucket TEXT, npz_oss_path TEXT);
CREATE TABLE origin (origin_id INTEGER PRIMARY KEY, motion_description TEXT, filename TEXT);
CREATE TABLE armature (armature_id INTEGER PRIMARY KEY, avatar_id INTEGER);
CREATE TABLE avatar (avatar_id INTEGER PRIMARY KEY, avatar_name TEXT);
CREATE TABLE motion_keyword (motion_keyword_id INTEGER PRIMARY KEY, motion_keywords_ch TEXT, motion_keyword_frame INTEGER);
CREATE TABLE speech_keyword (speech_keyword_id INTEGER PRIMARY KEY, speech_keywords_ch TEXT, speech_keyword_frame INTEGER);
CREATE TABLE random (random_id INTEGER PRIMARY KEY, cutoff_frames TEXT, cutoff_ranges TEXT);
CREATE TABLE loopable (loop_id INTEGER PRIMARY KEY, loop_start_frame INTEGER, loop_end_frame INTEGER);
PRAGMA user_version = 1;`

// database returns the database file with the records.
func database() (data []byte, err error) {
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows := rows{db: db, err: db.Exec(tables)}
	for i, c := range clips {
		rows.add("origin", i+1, c.name, c.name+".fbx")
		if c.keywords != "" {
			rows.add("motion_keyword", i+1, c.keywords, c.frames/2)
		}
		if c.longIdle {
			rows.add("loopable", i+1, 0, c.frames-1)
		}
	}
	for i, a := range avatars {
		rows.add("avatar", i+1, a.key)
		rows.add("armature", i+1, i+1)
		for j, c := range clips {
			id := recordID(i, j)
			rows.add("motion_file", id, j+1, i+1, c.frames, framesPerSecond, "", clipPath(i, j))
			rows.add("motion_record", id, id, optional(j+1, c.keywords != ""), nil, nil, optional(j+1, c.longIdle),
				optional(c.states, c.states != ""), nil, c.longIdle, false, false, framesPerSecond/2, c.frames-framesPerSecond/2, true)
		}
	}
	if rows.err != nil {
		return nil, rows.err
	}
	return serdes.Serialize(db, "main")
}

// optional returns value if it is given, otherwise NULL.
func optional(value any, given bool) any {
	if !given {
		return nil
	}
	return value
}

// rows adds rows. After the first error, it does nothing more.
type rows struct {
	db  *sqlite3.Conn
	err error
}

func (r *rows) add(table string, values ...any) {
	if r.err != nil {
		return
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")
	statement, _, err := r.db.Prepare("INSERT INTO " + table + " VALUES (" + marks + ")")
	if err != nil {
		r.err = err
		return
	}
	for i, value := range values {
		err = errors.Join(err, bind(statement, i+1, value))
	}
	r.err = errors.Join(err, statement.Exec(), statement.Close())
}

func bind(statement *sqlite3.Stmt, i int, value any) error {
	switch v := value.(type) {
	case int:
		return statement.BindInt(i, v)
	case bool:
		return statement.BindBool(i, v)
	case string:
		return statement.BindText(i, v)
	}
	return statement.BindNull(i)
}
