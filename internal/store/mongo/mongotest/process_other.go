//go:build !linux

package mongotest

import (
	"errors"
	"os/exec"
)

// killWithParent does nothing: the command ends when its input is closed.
func killWithParent(*exec.Cmd) {}

func freeze(*exec.Cmd) error { return errors.ErrUnsupported }

func thaw(*exec.Cmd) error { return errors.ErrUnsupported }
