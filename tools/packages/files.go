// Package packages tests the image, the compose files, the Kubernetes
// manifests, the systemd unit and the releases. It reads each of them in the
// way that the program that uses it does. The tests need no container engine
// and no cluster.
package packages

import (
	"os"
	"path/filepath"
)

// root is the root folder of the repository.
var root = filepath.Join("..", "..")

// read returns the contents of a file of the repository.
func read(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
}
