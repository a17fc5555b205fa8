//go:build failpoints

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// buildFolder is the folder in which programs are built. removeBuild removes
// it.
var buildFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "web-backend-torture-") })

// product is the program as users run it. breakable is the program with
// failpoints.
var (
	product   = sync.OnceValues(func() (string, error) { return build("web-backend") })
	breakable = sync.OnceValues(func() (string, error) { return build("web-backend-failpoints", "-tags", "failpoints") })
)

func build(name string, flags ...string) (string, error) {
	folder, err := buildFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, name)
	command := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", path}, flags...), "./cmd/web-backend")...)
	command.Dir = ".."
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return path, nil
}

func removeBuild() {
	if folder, err := buildFolder(); err == nil {
		_ = os.RemoveAll(folder)
	}
}
