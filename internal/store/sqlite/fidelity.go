package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// object is a row of sqlite_schema: a table, an index, a view or a trigger.
type object struct{ kind, name, table, sql string }

// litestreamTables are the tables that Litestream adds to a database that it
// replicates. They are allowed in exactly this form.
var litestreamTables = []object{
	{"table", "_litestream_seq", "_litestream_seq", "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)"},
	{"table", "_litestream_lock", "_litestream_lock", "CREATE TABLE _litestream_lock (id INTEGER)"},
}

// schemas returns the objects of each version of the schema, as the migrations
// create them.
var schemas = sync.OnceValues(func() (versions [][]object, err error) {
	c, err := openConn(":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := registerKeys(c); err != nil {
		return nil, err
	}
	versions = append(versions, nil) // version 0 has no objects
	for _, migration := range migrations {
		if err := c.Exec(migration); err != nil {
			return nil, err
		}
		made, err := objects(c)
		if err != nil {
			return nil, err
		}
		versions = append(versions, made)
	}
	return versions, nil
})

// maxObjects is more than the objects of any version. It limits what is read
// from other databases.
const maxObjects = 100

// objects returns the objects of a database, at most maxObjects.
func objects(c *conn) (found []object, err error) {
	err = c.query(`SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT `+strconv.Itoa(maxObjects), nil,
		func(row *sqlite3.Stmt) error {
			found = append(found, object{row.ColumnText(0), row.ColumnText(1), row.ColumnText(2), row.ColumnText(3)})
			return nil
		})
	return found, err
}

// checkObjects returns an error unless the objects of a database are exactly
// those of its version. Additional or different objects could act when the
// server uses the file: a trigger changes what the server writes, and a view in
// place of a table can return anything.
func checkObjects(found []object, version int64) error {
	versions, err := schemas()
	if err != nil {
		return fmt.Errorf("make the schema to compare with: %w", err)
	}
	missing := slices.Clone(versions[version])
	for _, o := range found {
		if i := slices.Index(missing, o); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			continue
		}
		what := "is not one of web-backend's"
		if slices.ContainsFunc(versions[version], func(own object) bool { return own.kind == o.kind && own.name == o.name }) {
			what = "is not as web-backend makes it"
		}
		return alteredError(fmt.Sprintf("%.20q %.60q %s", o.kind, o.name, what), version)
	}
	if len(missing) > 0 {
		return alteredError(fmt.Sprintf("%q %q is missing", missing[0].kind, missing[0].name), version)
	}
	return nil
}

func alteredError(what string, version int64) error {
	return fmt.Errorf("the tables are not those of schema version %d: %s; another program changed the file, "+
		"so use a backup from before that", version, what)
}
