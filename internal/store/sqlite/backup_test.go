package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

func mustBackup(t *testing.T, dir, target string) sqlite.Backup {
	t.Helper()
	made, err := sqlite.WriteBackup(t.Context(), dir, target)
	if err != nil {
		t.Fatalf("backup of %s: %v", dir, err)
	}
	return made
}

// restored restores a backup into a folder that does not exist yet, and opens
// the store there.
func restored(t *testing.T, file string) *sqlite.Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored", "data")
	if _, err := sqlite.Restore(t.Context(), dir, file); err != nil {
		t.Fatalf("restore: %v", err)
	}
	wantFolder(t, dir, "web-backend.db", "web-backend.lock")
	return openStore(t, dir)
}

func TestWriteBackup_HoldsWholeUsersWhileWritersWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	mustCreateUser(t, store, "ada", 3)
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	const writers = 4
	for writer := range writers {
		writing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("%d/%d", writer, n)
				err := store.CreateUser(context.Background(), storetest.UserConfig(id), storetest.Characters(id, 3))
				if err == nil && n%2 == 1 {
					err = store.DeleteUser(context.Background(), id)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	folder := t.TempDir()
	var last int64
	for n := range 4 {
		file := filepath.Join(folder, fmt.Sprint(n))
		made := mustBackup(t, dir, file)
		if got := modeOf(t, file); got != 0o600 {
			t.Errorf("mode of the backup: %o, want 600", got)
		}
		copied, users := restored(t, file), int64(0)
		for user, err := range copied.Users(t.Context(), backend.AllUsers) {
			if err != nil {
				t.Fatal(err)
			}
			users++
			wantUser(t, copied, user.UserID, 3)
		}
		want := backend.Counts{Users: users, Configs: users, Characters: 3 * users,
			ProviderKeys: users * int64(len(storetest.UserConfig("x").Keys))}
		if made.Counts != want || users < last-writers { // each writer may have deleted one since
			t.Errorf("backup %d: %+v, want %+v, and %d users at least", n, made.Counts, want, last-writers)
		}
		last = users
	}
	stop()
	writing.Wait()
	wantFolder(t, folder, "0", "1", "2", "3")
}

func TestWriteBackup_LeavesTokensOut(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "b")
	store := openStore(t, dir)
	credential := storetest.Credential("Ada", "ada")
	token := storetest.Token("a login", "ada")
	if err := errors.Join(store.CreateCredential(t.Context(), credential), store.CreateToken(t.Context(), token, credential)); err != nil {
		t.Fatal(err)
	}
	if made := mustBackup(t, dir, file); made.Counts != (backend.Counts{Users: 1, Credentials: 1}) {
		t.Errorf("counts: %+v", made.Counts)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, token.Hash[:]) {
		t.Error("the hash of a token is in the backup")
	}
	copied := restored(t, file)
	if _, err := copied.Token(t.Context(), token.Hash, storetest.TokenTime()); !errors.Is(err, backend.NotFound) {
		t.Errorf("the token in the backup: %v, want not found", err)
	}
	if got, err := copied.Credential(t.Context(), "Ada"); err != nil || got.Password.Reveal() != credential.Password.Reveal() {
		t.Errorf("the credential in the backup: %v", err)
	}
	if _, err := store.Token(t.Context(), token.Hash, storetest.TokenTime()); err != nil {
		t.Errorf("the token in the store: %v", err)
	}
}

func TestWriteBackup_LeavesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustCreateUser(t, openStore(t, dir), "ada", 2)
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx         context.Context //nolint:containedctx // one of the cases is an ended one
		dir, target string
		want        error
	}{
		"ended":       {ended, dir, "new", context.Canceled},
		"no folder":   {t.Context(), dir, "missing/new", fs.ErrNotExist},
		"a file":      {t.Context(), dir, "old", fs.ErrExist},
		"no database": {t.Context(), t.TempDir(), "new", fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "old"), []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := sqlite.WriteBackup(c.ctx, c.dir, filepath.Join(folder, c.target)); !errors.Is(err, c.want) {
				t.Errorf("error: %v, want %v", err, c.want)
			}
			wantFolder(t, folder, "old")
			if data, err := os.ReadFile(filepath.Join(folder, "old")); string(data) != "old" {
				t.Errorf("the file that was there holds %q, %v", data, err)
			}
		})
	}
}

func TestWriteBackup_TwoAtOnce(t *testing.T) {
	t.Parallel()
	dir, folder := t.TempDir(), t.TempDir()
	mustCreateUser(t, openStore(t, dir), "ada", 2)
	var running sync.WaitGroup
	results := make([]error, 4)
	for n := range results {
		running.Go(func() {
			_, results[n] = sqlite.WriteBackup(t.Context(), dir, filepath.Join(folder, []string{"a", "b"}[n%2]))
		})
	}
	running.Wait()
	made := 0
	for _, err := range results {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, fs.ErrExist):
			t.Errorf("the other one of two backups: %v", err)
		}
	}
	if made != 2 {
		t.Errorf("%d backups were made, want 2", made)
	}
	wantFolder(t, folder, "a", "b")
	for _, name := range []string{"a", "b"} {
		wantUser(t, restored(t, filepath.Join(folder, name)), "ada", 2)
	}
}

// foreign creates a SQLite file with the given statements.
func foreign(t *testing.T, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec(statements), c.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func written(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// disagreeing changes a backup so that an index does not agree with its table.
// Only integrity_check detects that.
func disagreeing(t *testing.T, backup []byte) string {
	t.Helper()
	path := written(t, backup)
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	const change = `PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = %s WHERE name = 'provider_keys_by_master_key';
		PRAGMA writable_schema = RESET;`
	if err := errors.Join(c.Exec(fmt.Sprintf(change, "sql || ' WHERE 0'")), c.Exec("DELETE FROM provider_keys WHERE user_id > '3'"),
		c.Exec(fmt.Sprintf(change, "replace(sql, ' WHERE 0', '')")), c.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRestore_RefusesWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	dir, good := t.TempDir(), filepath.Join(t.TempDir(), "good")
	store := openStore(t, dir)
	for n := range 20 {
		mustCreateUser(t, store, fmt.Sprint(n), 4)
	}
	mustBackup(t, dir, good)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct{ file, want string }{
		"missing":         {filepath.Join(t.TempDir(), "none"), "no such file"},
		"a folder":        {t.TempDir(), "not a file"},
		"empty":           {written(t, nil), "empty"},
		"text":            {written(t, []byte("hello, world, hello")), "not a SQLite database"},
		"an export":       {written(t, []byte(`{"format":"web-backend export"}`+"\n")), "web-backend import"},
		"an age export":   {written(t, []byte("age-encryption.org/v1\n")), "web-backend import"},
		"a header alone":  {written(t, whole[:100]), "database"},
		"a half":          {written(t, whole[:len(whole)/2]), "damaged"},
		"altered":         {written(t, append(bytes.Clone(whole[:8192]), bytes.Repeat([]byte{7}, len(whole)-8192)...)), "damaged"},
		"an index astray": {disagreeing(t, whole), "damaged"},
		"foreign":         {foreign(t, "CREATE TABLE t (a); INSERT INTO t VALUES (1)"), "another program"},
		"without tables":  {foreign(t, "PRAGMA user_version = 0; CREATE TABLE t (a); DROP TABLE t"), "empty"},
		"newer": {foreign(t, sqlite.SchemaV1+fmt.Sprintf("PRAGMA user_version = %d", sqlite.SchemaVersion+1)),
			"newer web-backend"},
		"itself": {"", "the database itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			old := openStore(t, data)
			mustCreateUser(t, old, "bob", 2)
			mustClose(t, old)
			file := bad.file
			if name == "itself" {
				file = filepath.Join(data, sqlite.DatabaseFile)
			} else if _, err := sqlite.CheckBackup(t.Context(), file); err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("check: %v, want an error with %q", err, bad.want)
			}
			before, _ := os.ReadFile(filepath.Join(data, sqlite.DatabaseFile))
			_, err := sqlite.Restore(t.Context(), data, file)
			if err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("restore: %v, want an error with %q", err, bad.want)
			}
			wantFolder(t, data, "web-backend.db", "web-backend.lock")
			if after, _ := os.ReadFile(filepath.Join(data, sqlite.DatabaseFile)); !bytes.Equal(before, after) {
				t.Error("the database was changed")
			}
		})
	}
}

// The old database stays unchanged under another name, including the changes
// that a crash left in its WAL.
func TestRestore_KeepsTheOldDatabase(t *testing.T) {
	t.Parallel()
	source, file := t.TempDir(), filepath.Join(t.TempDir(), "b")
	mustCreateUser(t, openStore(t, source), "ada", 2)
	mustBackup(t, source, file)

	running := t.TempDir()
	store := openStore(t, running)
	mustCreateUser(t, store, "bob", 1)
	if _, err := sqlite.Restore(t.Context(), running, file); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("restore while a store has the folder: %v", err)
	}
	crashed := t.TempDir()
	for _, suffix := range []string{"", "-wal"} { // the state after a crash
		data, err := os.ReadFile(store.Path() + suffix)
		if err != nil || len(data) == 0 {
			t.Fatal(len(data), err)
		}
		if err := os.WriteFile(filepath.Join(crashed, sqlite.DatabaseFile+suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A copied folder can be restored too, including its WAL.
	wantUser(t, restored(t, filepath.Join(crashed, sqlite.DatabaseFile)), "bob", 1)

	done, err := sqlite.Restore(t.Context(), crashed, file)
	if err != nil {
		t.Fatal(err)
	}
	wantFolder(t, crashed, "web-backend.db", filepath.Base(done.Kept), "web-backend.lock")
	wantUser(t, openStore(t, crashed), "ada", 2)
	wantUser(t, restored(t, done.Kept), "bob", 1)
	if got := modeOf(t, filepath.Join(crashed, sqlite.DatabaseFile)); got != 0o600 {
		t.Errorf("mode of the database: %o", got)
	}
}

// A damaged database does not prevent a restore, and its WAL is never used with
// the new database.
func TestRestore_ReplacesADamagedDatabase(t *testing.T) {
	t.Parallel()
	source, file := t.TempDir(), filepath.Join(t.TempDir(), "b")
	store := openStore(t, source)
	mustCreateUser(t, store, "ada", 2)
	mustBackup(t, source, file)
	wal, err := os.ReadFile(store.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{"garbage": strings.Repeat("no database ", 1000), "none": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, sqlite.DatabaseFile)
			if damaged != "" {
				if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(path+"-wal", wal, 0o600); err != nil {
				t.Fatal(err)
			}
			done, err := sqlite.Restore(t.Context(), dir, file)
			if err != nil {
				t.Fatal(err)
			}
			wantUser(t, openStore(t, dir), "ada", 2)
			if kept, _ := os.ReadFile(done.Kept); string(kept) != damaged {
				t.Errorf("kept as %q: %d bytes, want %d", done.Kept, len(kept), len(damaged))
			}
			walsKept, err := filepath.Glob(path + ".before-restore-*-wal")
			if err != nil || len(walsKept) != 1 {
				t.Fatalf("the old WAL: %q, %v", walsKept, err)
			}
			if kept, err := os.ReadFile(walsKept[0]); !bytes.Equal(kept, wal) {
				t.Errorf("the old WAL is kept as %d bytes, want %d, %v", len(kept), len(wal), err)
			}
		})
	}
}
