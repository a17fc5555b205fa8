package source

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"web-backend/internal/backend"
	"web-backend/internal/motion"
)

// defaultReadTimeout is the time limit for each read from a MySQL server.
const defaultReadTimeout = 30 * time.Second

// MySQLOptions configure the connection to a MySQL or MariaDB database.
type MySQLOptions struct {
	Host     string
	Port     int
	Username string
	Password backend.Secret
	Database string
	Query    Query
}

// MySQL is a MySQL or MariaDB database. It is only read, never written to. It
// is connected only while it is read.
type MySQL struct {
	options     MySQLOptions
	readTimeout time.Duration
}

// NewMySQL returns the database. It does not need to exist yet.
func NewMySQL(options MySQLOptions) *MySQL { return &MySQL{options, defaultReadTimeout} }

// Fingerprint implements [motion.Database]. It returns a checksum of the result
// of Read without the version. The version is not suitable: it is lost when the
// server restarts, it is updated late, and it changes with any table. The
// checksum costs one more join.
func (m *MySQL) Fingerprint(ctx context.Context) (string, error) {
	table, err := m.Read(ctx)
	if err != nil {
		return "", err
	}
	lines := make([]string, 0, len(table.Rows)) // in any order
	for _, row := range table.Rows {
		lines = append(lines, fmt.Sprintf("%#v", row)) // %#v sorts the columns
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:]), nil
}

// Read implements [motion.Database]. The version is the time of the last change
// of any table, as far as the server knows it (motion contract §4).
func (m *MySQL) Read(ctx context.Context) (motion.Table, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	table, err := m.read(ctx)
	switch {
	case err == nil:
		return table, nil
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("is not read within %s", readTimeout)
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn):
		err = fmt.Errorf("the server ends the connection, or does not respond within %s", m.readTimeout)
	}
	return table, fmt.Errorf("the motion database %s of %s: %w", m.options.Database, m.address(), plain(err))
}

func (m *MySQL) address() string {
	return net.JoinHostPort(m.options.Host, strconv.Itoa(m.options.Port))
}

func (m *MySQL) read(ctx context.Context) (table motion.Table, err error) {
	join, err := m.options.Query.join()
	if err != nil {
		return table, err
	}
	enabled, err := m.options.Query.enabled()
	if err != nil {
		return table, err
	}
	db, err := m.open()
	if err != nil {
		return table, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	connection, err := db.Conn(ctx)
	if err != nil {
		return table, err
	}
	defer connection.Close() //nolint:errcheck // it was only read
	if table.Version, err = updateTime(ctx, connection); err != nil {
		return table, err
	}
	// The first read of the transaction determines the moment of all data.
	tx, err := connection.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return table, err
	}
	defer tx.Rollback() //nolint:errcheck // it was only read
	var ids []int64
	err = eachRow(ctx, tx, enabled, func(row motion.Row) {
		if id, ok := row[idColumn].(int64); ok {
			ids = append(ids, id)
		}
	})
	if err != nil {
		return table, err
	}
	wanted := newSelection(ids)
	if err := eachRow(ctx, tx, join, wanted.add); err != nil {
		return table, err
	}
	table.Rows, err = wanted.result()
	return table, err
}

// open does not connect yet.
func (m *MySQL) open() (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", m.address()
	cfg.User, cfg.Passwd, cfg.DBName = m.options.Username, m.options.Password.Reveal(), m.options.Database
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = connectTimeout, m.readTimeout, m.readTimeout
	cfg.TLSConfig = "preferred"     // encrypted if the server supports it, not authenticated
	cfg.Logger = &mysql.NopLogger{} // otherwise it would write to standard error
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// updateTime returns the time of the last change of any table in the database,
// or "None" if the server does not know it.
func updateTime(ctx context.Context, db *sql.Conn) (string, error) {
	// MySQL 8 caches the time for a day. MariaDB does not have this cache or the
	// variable for it.
	const unknownVariable = 1193
	_, err := db.ExecContext(ctx, "SET SESSION information_schema_stats_expiry = 0")
	if refused, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || refused.Number != unknownVariable) {
		return "", err
	}
	var latest sql.NullString
	err = db.QueryRowContext(ctx, "SELECT MAX(update_time) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&latest)
	if err != nil || !latest.Valid {
		return "None", err
	}
	return latest.String, nil
}

// eachRow calls do for every row of one query.
func eachRow(ctx context.Context, tx *sql.Tx, query string, do func(motion.Row)) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // its error is that of Err
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	texts := make([]sql.NullString, len(types))
	targets := make([]any, len(types))
	for i := range texts {
		targets[i] = &texts[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		row := make(motion.Row, len(types))
		for i, t := range types {
			row[t.Name()] = valueOf(t.DatabaseTypeName(), texts[i])
		}
		do(row)
	}
	return rows.Err()
}

// valueOf returns a column in the form of a [motion.Row]. It returns the text
// if the text is not a number of the column's type, or does not fit into it.
func valueOf(kind string, text sql.NullString) any {
	if !text.Valid {
		return nil
	}
	switch kind = strings.TrimPrefix(kind, "UNSIGNED "); kind {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "YEAR":
		if n, err := strconv.ParseInt(text.String, 10, 64); err == nil {
			return n
		}
	case "FLOAT", "DOUBLE", "DECIMAL":
		if f, err := strconv.ParseFloat(text.String, 64); err == nil {
			return f
		}
	case "BIT": // its bytes; at most eight
		var n uint64
		for _, b := range []byte(text.String) {
			n = n<<8 | uint64(b)
		}
		return int64(n) // the highest bit is the sign, as in SQLite
	}
	return text.String
}
