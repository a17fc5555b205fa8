package sqlite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/masterkey"
	"web-backend/internal/store/sqlite"
)

const damagedParts = 8 // run at the same time

// long makes some tests use more files or more users, as `make torture` does.
var long = os.Getenv("TORTURE") == "long"

const pageSize = 4096

// wholeBackup returns the bytes of a backup of some users.
func wholeBackup(t testing.TB) []byte {
	t.Helper()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "b")
	store := openStore(t, dir)
	for n := range 12 {
		user := fmt.Sprint("user ", n)
		err := store.PutUsers(t.Context(), []backend.UserData{{
			Config: &backend.UserConfig{UserID: user, Timezone: "UTC", Keys: setKey("sk-not-a-real-key").Keys},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sqlite.WriteBackup(t.Context(), dir, file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// damage returns a copy of a database with one or more faults.
func damage(whole []byte, random *rand.Rand) []byte {
	data := bytes.Clone(whole)
	for range 1 + random.IntN(4) {
		page := random.IntN(len(data)/pageSize) * pageSize
		switch random.IntN(7) {
		case 0: // the header of the file
			data[16+random.IntN(84)] = byte(random.Uint32())
		case 1: // the header of a page
			data[page+random.IntN(12)] = byte(random.Uint32())
		case 2: // the offsets of the page's cells
			data[page+8+random.IntN(64)] = byte(random.Uint32())
		case 3: // any position
			for range 1 + random.IntN(16) {
				data[random.IntN(len(data))] ^= 1 << random.IntN(8)
			}
		case 4: // a page replaced by another
			other := random.IntN(len(data)/pageSize) * pageSize
			copy(data[page:page+pageSize], whole[other:])
		case 5: // the end is missing, at most one page
			data = data[:len(data)-random.IntN(pageSize)]
			if len(data) < pageSize {
				return data
			}
		case 6: // the texts of the schema
			data[100+random.IntN(pageSize-100)] ^= 1 << random.IntN(8)
		}
	}
	return data
}

// useDamaged does with a file what commands do, and, if write is set, also what
// the server does. Each operation may reject the file, but a restore must
// accept a file that the check accepts.
func useDamaged(t *testing.T, data []byte, write bool) (taken bool) {
	t.Helper()
	dir, restored := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, sqlite.DatabaseFile)
	writeFile(t, file, data)
	_, checked := sqlite.CheckBackup(t.Context(), file)
	_, _ = sqlite.InspectKeysOf(file, masterkey.Ring{})
	if store, err := sqlite.OpenReadOnly(dir, testKeys); err == nil {
		_, _ = store.UserConfig(t.Context(), "user 1")
		_ = store.Close()
	}
	if !write {
		return checked == nil
	}
	if _, err := sqlite.Restore(t.Context(), restored, file); err != nil && checked == nil {
		t.Errorf("the check finds the file whole, and restore says %v", err)
	}
	for _, folder := range []string{dir, restored} {
		store, err := sqlite.Open(folder, testKeys)
		if err != nil {
			continue
		}
		_ = store.PutUsers(t.Context(), []backend.UserData{{Config: &backend.UserConfig{UserID: "new", Timezone: "UTC"}}})
		_, _ = store.UserConfig(t.Context(), "user 1")
		_ = store.DeleteUser(t.Context(), "user 2")
		_ = store.Close()
	}
	return checked == nil
}

// Damaged files are rejected or used. They must not end the process.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	whole := wholeBackup(t)
	if !useDamaged(t, whole, true) {
		t.Fatal("the backup is refused before it is damaged")
	}
	damagedFiles := 60 // in each part
	if long {
		damagedFiles = 500
	}
	for part := range damagedParts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(part)))
			taken := 0
			for n := range damagedFiles {
				// Writing waits for the disk, so only a few files are written
				// to.
				if useDamaged(t, damage(whole, random), long || n%10 == 0) {
					taken++
				}
				if t.Failed() {
					t.Fatalf("file %d", n)
				}
			}
			if taken == 0 || taken > damagedFiles/2 {
				t.Errorf("%d of %d files were taken: they are damaged too much, or hardly", taken, damagedFiles)
			}
		})
	}
}

// The page of an empty table or index says that it has children, and has none.
// SQLite's own check accepts that, but whatever uses the page fails.
func TestCheckBackup_EmptyPages(t *testing.T) {
	t.Parallel()
	const leaf, hasChildren = 8, ^byte(8) // in the first byte of a page
	whole := wholeBackup(t)
	tried := 0
	for page := pageSize; page < len(whole); page += pageSize {
		if kind, cells := whole[page], binary.BigEndian.Uint16(whole[page+3:]); kind&leaf == 0 || cells > 0 {
			continue
		}
		tried++
		data := bytes.Clone(whole)
		data[page] &= hasChildren
		file := filepath.Join(t.TempDir(), "b")
		writeFile(t, file, data)
		_, err := sqlite.CheckBackup(t.Context(), file)
		wantError(t, fmt.Sprintf("page %d", page/pageSize+1), err, "damaged")
	}
	if tried < 3 {
		t.Errorf("%d tables and indexes are empty, want some more", tried)
	}
}

// FuzzDamagedFile damages a file in any way. at selects the faults of
// TestDamagedFiles, and patch overwrites the file at offset.
func FuzzDamagedFile(f *testing.F) {
	whole := wholeBackup(f)
	f.Add(uint64(0), uint16(100), []byte{13})
	f.Add(uint64(7), uint16(60), []byte{255, 255, 255, 255}) // user_version
	f.Fuzz(func(t *testing.T, seed uint64, offset uint16, patch []byte) {
		data := bytes.Clone(whole)
		if seed != 0 {
			data = damage(whole, rand.New(rand.NewPCG(seed, 0)))
		}
		if int(offset) < len(data) {
			copy(data[offset:], patch)
		}
		useDamaged(t, data, true)
	})
}

// A user id that is not a text sorts after every text, so the page after its
// row is the same page again.
func TestInspectKeys_RowsOutOfOrder(t *testing.T) {
	t.Parallel()
	data := wholeBackup(t)
	// The types of user id and name, with 6 and 14 characters, come before the
	// type of the value and the row. See "Record Format" in SQLite's
	// documentation.
	const types, text, blob = 4, 13, 12
	row := bytes.Index(data, []byte("user 9openai_api_key"))
	if row < types || data[row-types] != text+2*6 || data[row-types+1] != text+2*14 {
		t.Fatal("the row of user 9 is not where it was expected")
	}
	data[row-types] = blob + 2*6
	_, err := sqlite.InspectKeysOf(written(t, data), masterkey.Ring{})
	wantError(t, "InspectKeysOf", err, "damaged", "out of order")
}

// A value that needs all memory is rejected, and does not end the process.
func TestCheckBackup_TooMuchMemory(t *testing.T) {
	t.Parallel()
	file := written(t, wholeBackup(t))
	sql("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; INSERT INTO provider_keys VALUES ('a', 'b', zeroblob(100 << 20))")(t, file)
	_, err := sqlite.CheckBackup(t.Context(), file)
	wantError(t, "CheckBackup", err, "memory")
	_, err = sqlite.Restore(t.Context(), t.TempDir(), file)
	wantError(t, "Restore", err, "memory")
}

// Reading the texts of many tables takes more than a minute, and ends at the
// time limit.
func TestCheckBackup_TooMuchTime(t *testing.T) {
	t.Parallel()
	file := written(t, wholeBackup(t))
	sql(rewrite("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "+
		"INSERT INTO sqlite_schema SELECT 'table', 't' || i, 't' || i, 2, 'CREATE TABLE t' || i || ' (a)' FROM n"))(t, file)
	for want, limit := range map[string]func() (context.Context, context.CancelFunc){
		"interrupted": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 50*time.Millisecond)
		},
		"far longer": func() (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(t.Context(), 50*time.Millisecond, sqlite.ErrEndless)
		},
	} {
		ctx, cancel := limit()
		_, err := sqlite.CheckBackup(ctx, file)
		cancel()
		wantError(t, "CheckBackup", err, want)
	}
}
