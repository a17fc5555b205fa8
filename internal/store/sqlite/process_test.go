//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/store/sqlite"
	"web-backend/internal/store/storetest"
)

// processRole is an environment variable. If it is set, this test binary does
// not run tests, but is another process that uses a store.
const processRole = "WEB_BACKEND_TEST_PROCESS"

func TestMain(m *testing.M) {
	if role := os.Getenv(processRole); role != "" {
		if err := roles[role](os.Args[1]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// roles are the tasks of such a process, with the store in a folder. A process
// reports its progress on standard output, one line for each step.
var roles = map[string]func(dir string) error{
	"open": openRole, "write": writeRole, "full disk": fullDiskRole, "backup on a full disk": backupFullDiskRole,
	"quota": quotaRole,
}

// process is a running process with a role.
type process struct {
	*exec.Cmd
	lines *bufio.Scanner
	stop  io.Closer // its standard input
}

func startProcess(t *testing.T, role, dir string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), executable, dir)
	cmd.Env = append(os.Environ(), processRole+"="+role)
	cmd.Stderr = os.Stderr
	stdout, outErr := cmd.StdoutPipe()
	stdin, inErr := cmd.StdinPipe()
	if err := errors.Join(outErr, inErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &process{cmd, bufio.NewScanner(stdout), stdin}
}

// line waits for the next line that the process prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("the process printed no more (%v)", p.lines.Err())
	}
	return p.lines.Text()
}

// kill ends the process like a crash.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // "signal: killed"
}

// openRole opens the store and holds it until standard input ends.
func openRole(dir string) error {
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		return err
	}
	fmt.Println("opened")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, store.Close())
}

func TestOpen_RefusesASecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openStore(t, dir)
	if got := startProcess(t, "open", dir).line(t); !strings.Contains(got, dir) || !strings.Contains(got, "in use") {
		t.Errorf("another process that opens the folder: got %q, want an error that names it", got)
	}
	mustCreateUser(t, store, "ada", 1)
	mustClose(t, store)

	other := startProcess(t, "open", dir)
	if got := other.line(t); got != "opened" {
		t.Fatalf("another process after Close: got %q, want it to open the store", got)
	}
	_, err := sqlite.Open(dir, testKeys)
	wantError(t, "Open while another process has the folder", err, dir, "in use")
	other.kill(t)
	wantUser(t, openStore(t, dir), "ada", 1)
}

// writeRole creates users until it is killed, and prints each id after the call
// has returned. Its umask would allow all users to write to new files.
func writeRole(dir string) error {
	syscall.Umask(0)
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		return err
	}
	var printing sync.Mutex
	var writers sync.WaitGroup
	for writer := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d/%d", writer, n)
				if err := store.CreateUser(context.Background(), storetest.UserConfig(id), storetest.Characters(id, 2)); err != nil {
					panic(err)
				}
				printing.Lock()
				fmt.Println(id)
				printing.Unlock()
			}
		})
	}
	writers.Wait()
	return nil
}

func TestProcess_KilledLosesNothingConfirmed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/data"
	other := startProcess(t, "write", dir)
	var answered []string
	for range 60 {
		answered = append(answered, other.line(t))
	}
	path := dir + "/" + sqlite.DatabaseFile
	for file, want := range map[string]os.FileMode{dir: 0o700, path: 0o600, path + "-wal": 0o600} {
		if got := modeOf(t, file); got != want {
			t.Errorf("mode of %s under umask 0: got %o, want %o", file, got, want)
		}
	}
	other.kill(t)

	store := openStore(t, dir)
	for _, id := range answered {
		wantUser(t, store, id, 2)
	}
	for user, err := range store.Users(t.Context(), backend.AllUsers) { // a user without a result is complete or absent
		if err != nil {
			t.Fatal(err)
		}
		wantUser(t, store, user.UserID, 2)
	}
}

// fullDiskRole simulates a full disk half-way through many writes: files cannot
// grow beyond a limit. It prints the faults it finds, then "end".
func fullDiskRole(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		return err
	}
	ctx := context.Background()
	create := func(id string) error {
		return store.CreateUser(ctx, storetest.UserConfig(id), storetest.Characters(id, 4))
	}
	if err := create("ada"); err != nil {
		return err
	}
	lift, err := limitFiles(store.Path() + "-wal")
	if err != nil {
		return err
	}
	results := make([]error, 64)
	var writes sync.WaitGroup
	for i := range results {
		writes.Go(func() { results[i] = create(fmt.Sprint(i)) })
	}
	writes.Wait()
	_, readErr := store.UserConfig(ctx, "ada")
	if err := errors.Join(readErr, lift(), create("later"), store.Close()); err != nil {
		return fmt.Errorf("after the disk was full: %w", err)
	}
	if store, err = sqlite.Open(dir, testKeys); err != nil {
		return err
	}
	reportResults(store, results)
	fmt.Println("end")
	return store.Close()
}

// limitFiles limits the size of all files to the size of path and some pages.
func limitFiles(path string) (lift func() error, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return nil, err
	}
	limited := syscall.Rlimit{Cur: uint64(info.Size()) + 200_000, Max: old.Max}
	return func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) },
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited)
}

// reportResults prints each result that does not match the stored data.
func reportResults(store *sqlite.Store, results []error) {
	refused := 0
	for i, result := range results {
		id := fmt.Sprint(i)
		_, configErr := store.UserConfig(context.Background(), id)
		names, namesErr := store.CharacterNames(context.Background(), id)
		switch {
		case result == nil && (configErr != nil || len(names) != 4):
			fmt.Printf("user %s: answered nil, stored: config error %v, characters %v, %v\n", id, configErr, names, namesErr)
		case result != nil && (!errors.Is(configErr, backend.NotFound) || len(names) != 0):
			fmt.Printf("user %s: answered %v, stored: config error %v, characters %v\n", id, result, configErr, names)
		case result != nil && !errors.Is(result, backend.Unavailable):
			fmt.Printf("user %s: answered %v, want unavailable\n", id, result)
		}
		if result != nil {
			refused++
		}
	}
	if refused == 0 {
		fmt.Println("no write found the disk full: the test proves nothing")
	}
}

func TestProcess_OutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	other := startProcess(t, "full disk", t.TempDir())
	for line := other.line(t); line != "end"; line = other.line(t) {
		t.Error(line)
	}
}

// backupFullDiskRole simulates a full disk half-way through a backup.
func backupFullDiskRole(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	store, err := sqlite.Open(dir, testKeys)
	if err != nil {
		return err
	}
	ctx := context.Background()
	for n := range 100 {
		id := fmt.Sprint(n)
		if err := store.CreateUser(ctx, storetest.UserConfig(id), storetest.Characters(id, 4)); err != nil {
			return err
		}
	}
	folder := filepath.Join(dir, "backups")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	lift, err := limitFiles(filepath.Join(dir, "web-backend.lock"))
	if err != nil {
		return err
	}
	_, backupErr := sqlite.WriteBackup(ctx, dir, filepath.Join(folder, "b"))
	if backupErr == nil {
		fmt.Println("no backup found the disk full: the test proves nothing")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		fmt.Printf("left behind: %v, %v\n", left, err)
	}
	if err := lift(); err != nil {
		return err
	}
	if _, err := sqlite.WriteBackup(ctx, dir, filepath.Join(folder, "b")); err != nil {
		return err
	}
	fmt.Println("end")
	return store.Close()
}

func TestProcess_BackupFindsAFullDisk(t *testing.T) {
	t.Parallel()
	other := startProcess(t, "backup on a full disk", t.TempDir())
	for line := other.line(t); line != "end"; line = other.line(t) {
		t.Error(line)
	}
}

// An upgrade that is killed at different points continues at the next start and
// loses nothing.
func TestSharing_AKilledUpgradeGoesOn(t *testing.T) {
	t.Parallel()
	var users []backend.UserData
	for n := range 2 * sqlite.SliceSize / 8 {
		users = append(users, copied(t, fmt.Sprint("user ", n)))
	}
	dir := t.TempDir()
	version5(t, dir, users)
	halfWay := 0
	for round := range 4 {
		p := startProcess(t, "open", dir)
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			p.lines.Scan()
		}()
		waitForWAL(t, dir, int64(round)<<20, opened)
		must(t, p.Process.Kill())
		<-opened
		_ = p.Wait() // "signal: killed"
		if store, err := sqlite.OpenReadOnly(dir, testKeys); err != nil {
			wantError(t, "OpenReadOnly", err, "start the server once")
			halfWay++
		} else {
			mustClose(t, store)
		}
	}
	if halfWay == 0 {
		t.Error("no kill came before the end of the upgrade")
	}
	store := openStore(t, dir)
	wantDocuments(t, store, users)
	if got, want := number(t, store, "SELECT count(*) FROM characters WHERE shared IS NOT NULL"), int64(8*len(users)); got != want {
		t.Errorf("got %d characters that share, want %d", got, want)
	}
}

// waitForWAL waits until the WAL has more than bytes bytes, or until done is
// closed.
func waitForWAL(t *testing.T, dir string, bytes int64, done <-chan struct{}) {
	t.Helper()
	for {
		if info, err := os.Stat(filepath.Join(dir, sqlite.DatabaseFile+"-wal")); err == nil && info.Size() > bytes {
			return
		}
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}
