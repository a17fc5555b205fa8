package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// The database of BenchmarkBackup has about 500 MB.
const (
	backupUsers      = 30_000
	backupCharacters = 6
)

// BenchmarkBackup measures how much a backup slows down reads and durable
// writes, for WriteBackup and for the alternatives. Run it with -benchtime=1x.
func BenchmarkBackup(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data")
	store := openStore(b, dir)
	fillForBackup(b, store)
	quiet := underLoad(b, store, func() { time.Sleep(10 * time.Second) })
	quiet.report(b, "quiet", load{})
	for _, way := range []struct {
		name string
		copy func(target string) error
	}{
		{"WriteBackup", func(target string) error {
			_, err := sqlite.WriteBackup(b.Context(), dir, target)
			return err
		}},
		{"vacuum into", func(target string) error { return onCopy(store.Path(), "VACUUM INTO '"+target+"'") }},
		{"online without a snapshot", func(target string) error { return onlineCopy(store.Path(), target) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			for n := range b.N {
				var err error
				got := underLoad(b, store, func() { err = way.copy(filepath.Join(dir, fmt.Sprintf("%s-%d.db", b.Name()[16:], n))) })
				got.report(b, way.name, quiet)
				if err != nil {
					b.Logf("%s: %v", way.name, err)
				}
			}
		})
	}
}

// onCopy runs a statement on a new connection.
func onCopy(path, statement string) error {
	c, err := sqlite3.Open(path)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Exec(statement)
}

// onlineCopy copies as SQLite's documentation shows: a write by another
// connection restarts the copy. It gives up after a minute.
func onlineCopy(path, target string) error {
	c, err := sqlite3.Open(path)
	if err != nil {
		return err
	}
	defer c.Close()
	copying, err := c.BackupInit("main", target)
	if err != nil {
		return err
	}
	defer copying.Close()
	began := time.Now()
	for done := false; !done; {
		if done, err = copying.Step(256); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		if time.Since(began) > time.Minute {
			return fmt.Errorf("not done after a minute: %d of %d pages are left", copying.Remaining(), copying.PageCount())
		}
	}
	return nil
}

func fillForBackup(b *testing.B, store *sqlite.Store) {
	b.Helper()
	prompt := strings.Repeat("You keep a lighthouse. ", 60)
	var filling sync.WaitGroup
	for worker := range 128 {
		filling.Go(func() {
			for i := worker; i < backupUsers; i += 128 {
				userID := fmt.Sprint(i)
				characters := storetest.Characters(userID, backupCharacters)
				for n := range characters {
					characters[n].Prompt = prompt
				}
				if err := store.CreateUser(b.Context(), storetest.UserConfig(userID), characters); err != nil {
					b.Error(err)
				}
			}
		})
	}
	filling.Wait()
}

// load holds the durations of requests, in ascending order.
type load struct {
	reads, writes []time.Duration
	took          time.Duration
}

// underLoad reads and writes like a busy server while do runs. It uses 4
// readers that pause 2 ms between two calls, and 4 writers that pause 10 ms.
func underLoad(b *testing.B, store *sqlite.Store, do func()) (all load) {
	b.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var mutex sync.Mutex
	var loading sync.WaitGroup
	run := func(into *[]time.Duration, rest time.Duration, call func(n int) error) {
		loading.Go(func() {
			var took []time.Duration
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				if err := call(n); err != nil {
					b.Error(err)
				}
				took = append(took, time.Since(began))
				time.Sleep(rest)
			}
			mutex.Lock()
			defer mutex.Unlock()
			*into = append(*into, took...)
		})
	}
	for worker := range 4 {
		key := func(n int) backend.CharacterKey {
			return storetest.Character(fmt.Sprint((worker*7919+n*104729)%backupUsers), n%backupCharacters).Key()
		}
		run(&all.reads, 2*time.Millisecond, func(n int) error {
			_, err := store.CharacterDocument(context.Background(), key(n))
			return err
		})
		run(&all.writes, 10*time.Millisecond, func(n int) error {
			prompt := strings.Repeat(fmt.Sprintf("You keep lighthouse %d. ", n), 60)
			return store.UpdateCharacter(context.Background(), key(n), backend.CharacterPatch{Prompt: &prompt})
		})
	}
	began := time.Now()
	do()
	all.took = time.Since(began)
	stop()
	loading.Wait()
	slices.Sort(all.reads)
	slices.Sort(all.writes)
	return all
}

func (l load) report(b *testing.B, name string, quiet load) {
	b.Helper()
	at := func(all []time.Duration, percent int) time.Duration {
		if len(all) == 0 {
			return 0
		}
		return all[len(all)*percent/100]
	}
	for _, line := range []struct {
		what       string
		all, quiet []time.Duration
	}{{"reads", l.reads, quiet.reads}, {"writes", l.writes, quiet.writes}} {
		for _, percent := range []int{50, 99} {
			got, before := at(line.all, percent), at(line.quiet, percent)
			b.Logf("%-26s %5.1f s %7d %-6s p%d %8v, × %.2f", name, l.took.Seconds(), len(line.all), line.what, percent,
				got.Round(10*time.Microsecond), got.Seconds()/max(before.Seconds(), 1e-9))
		}
	}
}
