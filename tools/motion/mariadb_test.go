package motion

import (
	"bufio"
	"cmp"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/motion/source"
)

const (
	readerPassword = "what only the reader knows"

	// schema is the schema of the golden database, with the types of MySQL.
	schema = `
CREATE TABLE motion_record (motion_record_id INT UNSIGNED PRIMARY KEY, motion_file_id BIGINT, motion_keyword_id INT,
  speech_keyword_id INT, random_id SMALLINT, loop_id MEDIUMINT, states VARCHAR(255), labels TEXT, is_idle_long TINYINT,
  is_random_quiet BIT(1), is_random_audio BIT(1), startup_frame INT, recovery_frame INT, enabled BIT(1));
CREATE TABLE motion_file (motion_file_id BIGINT PRIMARY KEY, origin_id INT, armature_id INT, n_frames INT UNSIGNED,
  fps DECIMAL(6,3), oss_bucket VARCHAR(64), npz_oss_path TEXT);
CREATE TABLE origin (origin_id INT PRIMARY KEY, motion_description TEXT, filename TEXT, enabled TINYINT(1));
CREATE TABLE armature (armature_id INT PRIMARY KEY, avatar_id INT);
CREATE TABLE avatar (avatar_id INT PRIMARY KEY, avatar_name VARCHAR(64));
CREATE TABLE motion_keyword (motion_keyword_id INT PRIMARY KEY, motion_keywords_ch MEDIUMTEXT, motion_keyword_frame INT);
CREATE TABLE speech_keyword (speech_keyword_id INT PRIMARY KEY, speech_keywords_ch BLOB, speech_keyword_frame INT);
CREATE TABLE random (random_id SMALLINT PRIMARY KEY, cutoff_frames JSON, cutoff_ranges JSON);
CREATE TABLE loopable (loop_id MEDIUMINT PRIMARY KEY, loop_start_frame INT, loop_end_frame INT);
`
)

// childAttributes make child processes end with the test, if the system
// supports it.
var childAttributes *syscall.SysProcAttr

// mariaDB is a separate server that contains the golden records.
type mariaDB struct {
	t       *testing.T
	program string
	folder  string
	port    int
	process *exec.Cmd
	admin   *sql.DB
}

// startMariaDB starts a server. It skips the test if MariaDB is not installed.
func startMariaDB(t *testing.T) *mariaDB {
	t.Helper()
	program, err := findProgram("mariadbd")
	install, installErr := findProgram("mariadb-install-db")
	if err = cmp.Or(err, installErr); err != nil {
		const remedy = "install Debian's mariadb-server"
		if os.Getenv("CI") == "true" || os.Getenv("TEST_MARIADB_REQUIRED") != "" {
			t.Fatalf("no MariaDB to test with: %v; %s", err, remedy)
		}
		t.Skipf("SKIPPED: MySQL and S3 were NOT tested: %v; %s", err, remedy)
	}
	folder, err := os.MkdirTemp("", "mariadb") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	m := &mariaDB{t: t, program: program, folder: folder}
	output, err := exec.Command(install, m.arguments("--auth-root-authentication-method=normal", "--skip-test-db",
		"--innodb-log-file-size=4M")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", install, err, output)
	}
	m.start()
	t.Cleanup(m.stop)
	m.fill()
	return m
}

// findProgram looks for a program in PATH and in the folder where Debian
// installs servers.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return exec.LookPath("/usr/sbin/" + name)
	}
	return path, nil
}

func (m *mariaDB) arguments(more ...string) []string {
	all := []string{"--no-defaults", "--datadir=" + filepath.Join(m.folder, "data")}
	if os.Geteuid() == 0 {
		all = append(all, "--user=root")
	}
	return append(all, more...)
}

// start starts the server and waits until it accepts connections. If another
// process takes the free port first, the server ends and is started on another
// port.
func (m *mariaDB) start() {
	m.t.Helper()
	var log strings.Builder
	for range 5 {
		m.port = freePort(m.t)
		m.process = exec.Command(m.program, m.arguments("--bind-address=127.0.0.1", "--port="+strconv.Itoa(m.port),
			"--socket="+m.socket(), "--pid-file="+filepath.Join(m.folder, "pid"), "--skip-name-resolve",
			"--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0")...)
		m.process.SysProcAttr = childAttributes
		stderr, err := m.process.StderrPipe()
		if err == nil {
			err = m.process.Start()
		}
		if err != nil {
			m.t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			fmt.Fprintln(&log, lines.Text())
			if strings.Contains(lines.Text(), "ready for connections") {
				go func() {
					for lines.Scan() { // so that the server can continue to write
					}
				}()
				return
			}
		}
		_ = m.process.Wait()
	}
	m.t.Fatalf("MariaDB does not start:\n%s", &log)
}

func (m *mariaDB) stop() {
	if m.process != nil {
		_ = m.process.Process.Signal(syscall.SIGTERM)
		_ = m.process.Wait()
		m.process = nil
	}
}

func (m *mariaDB) socket() string { return filepath.Join(m.folder, "socket") }

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func (m *mariaDB) exec(statement string, args ...any) {
	m.t.Helper()
	if _, err := m.admin.Exec(statement, args...); err != nil {
		m.t.Fatalf("%s: %v", statement, err)
	}
}

// fill creates the database motion with the golden records, the database empty
// with the same tables, and a user who can only read both.
func (m *mariaDB) fill() {
	m.t.Helper()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.MultiStatements = "unix", m.socket(), "root", true
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.admin = sql.OpenDB(connector)
	m.t.Cleanup(func() { m.admin.Close() })
	m.admin.SetMaxOpenConns(1) // USE applies to one connection
	m.exec("CREATE USER reader@'127.0.0.1' IDENTIFIED BY '" + readerPassword + "'")
	for _, name := range []string{"empty", "motion"} {
		m.exec("CREATE DATABASE " + name + " CHARACTER SET utf8mb4; GRANT SELECT ON " + name + ".* TO reader@'127.0.0.1'; USE " + name + ";" + schema)
	}
	golden, err := sqlite3.OpenFlags("file:"+filepath.Join(goldenFolder(m.t), "motion_database.db")+"?mode=ro", sqlite3.OPEN_READONLY|sqlite3.OPEN_URI)
	if err != nil {
		m.t.Fatal(err)
	}
	defer golden.Close()
	m.exec("START TRANSACTION")
	for _, table := range []string{"motion_record", "motion_file", "origin", "armature", "avatar", "motion_keyword", "speech_keyword", "random", "loopable"} {
		rows, _, err := golden.Prepare("SELECT * FROM " + table)
		if err != nil {
			m.t.Fatal(err)
		}
		for rows.Step() {
			values := make([]any, rows.ColumnCount())
			for i := range values {
				switch rows.ColumnType(i) {
				case sqlite3.NULL:
				case sqlite3.INTEGER:
					values[i] = rows.ColumnInt64(i)
				default:
					values[i] = rows.ColumnText(i)
				}
			}
			m.exec("INSERT INTO "+table+" VALUES (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
		}
		if err := rows.Close(); err != nil {
			m.t.Fatal(err)
		}
	}
	m.exec("COMMIT")
}

// database returns a database of the server as its reader sees it.
func (m *mariaDB) database(name, join string) *source.MySQL {
	return source.NewMySQL(m.options(name, join))
}

func (m *mariaDB) options(name, join string) source.MySQLOptions {
	return source.MySQLOptions{
		Host: "127.0.0.1", Port: m.port, Username: "reader", Password: backend.NewSecret(readerPassword), Database: name,
		Query: source.Query{JoinFile: join, Table: "motion_record", EnabledColumn: "enabled"},
	}
}
