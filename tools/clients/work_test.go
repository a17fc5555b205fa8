package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The time limits of one command, on a busy machine.
const (
	installTime = 5 * time.Minute // it downloads packages
	commandTime = 2 * time.Minute
)

// work is a copy of an example, with its packages installed.
type work struct {
	t      *testing.T
	folder string
	path   string // folder of the installed programs
	url    string // URL of the server
}

// prepare copies an example, so that no files are generated in the repository.
func prepare(t *testing.T, e example) *work {
	t.Helper()
	installation := e.installed(t)
	w := &work{t: t, folder: t.TempDir(), path: filepath.Join(installation, filepath.FromSlash(e.path))}
	for _, name := range e.sources {
		content, err := os.ReadFile(filepath.Join("..", "..", "examples", e.folder, name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(w.folder, name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(w.folder, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if e.lends != "" {
		if err := os.Symlink(filepath.Join(installation, e.lends), filepath.Join(w.folder, e.lends)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// try runs a command in the work folder, as a reader does in a shell.
func (w *work) try(command string) (string, error) {
	w.t.Helper()
	return shell(w.t.Context(), commandTime, w.folder, command, "URL="+w.url, "PYTHONUTF8=1",
		"PATH="+w.path+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// must runs a command that has to succeed.
func (w *work) must(command string) string {
	w.t.Helper()
	output, err := w.try(command)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, output)
	}
	return output
}

func shell(ctx context.Context, limit time.Duration, folder, command string, environment ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	child := exec.CommandContext(ctx, "sh", "-c", command)
	child.Dir, child.Env = folder, append(os.Environ(), environment...)
	child.SysProcAttr = childAttributes
	child.WaitDelay = time.Second // children of a killed shell keep its output open
	output, err := child.CombinedOutput()
	return string(output), errors.Join(err, ctx.Err())
}

// installations contains a function for each example, which installs the
// example once.
var installations sync.Map

// installed returns the cache folder with the packages of an example. The
// packages are installed the first time, and again when a lock file or a
// version has changed.
func (e example) installed(t *testing.T) string {
	t.Helper()
	versions := e.need(t)
	install, _ := installations.LoadOrStore(e.folder, sync.OnceValues(func() (string, error) { return e.installNew(versions) }))
	folder, err := install.(func() (string, error))()
	if err != nil {
		t.Fatalf("install the packages of examples/%s: %v", e.folder, err)
	}
	return folder
}

// installNew installs into a separate folder and then makes a link point to it.
// So several processes can install at the same time, and a process that is
// killed leaves no incomplete installation. Renaming the folder would not work,
// because Python scripts contain their own path.
func (e example) installNew(versions string) (link string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "web-backend", "clients")
	hash, locks := sha256.New(), map[string][]byte{}
	fmt.Fprint(hash, versions, e.install)
	for _, name := range e.locks {
		if locks[name], err = os.ReadFile(filepath.Join("..", "..", "examples", e.folder, name)); err != nil {
			return "", err
		}
		hash.Write(locks[name])
	}
	link = filepath.Join(cache, e.folder+"-"+hex.EncodeToString(hash.Sum(nil))[:12])
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(cache, e.folder+"-new-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(folder) // the error says what happened
		}
	}()
	for name, content := range locks {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return "", err
		}
	}
	output, err := shell(context.Background(), installTime, folder, strings.Join(e.install, " && "))
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	if err := os.Symlink(folder, folder+".link"); err != nil {
		return "", err
	}
	return link, os.Rename(folder+".link", link)
}
