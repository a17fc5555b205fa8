// Package packages holds the image, the compose files, the Kubernetes
// manifests, the systemd unit and the releases against what each of their
// readers makes of them. Nothing here needs a container engine or a cluster.
package packages

import (
	"os"
	"path/filepath"
)

// root is the product's folder.
var root = filepath.Join("..", "..")

// read gives a file of the product.
func read(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
}
