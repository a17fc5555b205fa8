//go:build !linux

package mongotest

import (
	"errors"
	"os/exec"
)

// killWithParent does nothing: the command ends with its input.
func killWithParent(*exec.Cmd) {}

func freeze(*exec.Cmd) error { return errors.ErrUnsupported }

func thaw(*exec.Cmd) error { return errors.ErrUnsupported }
