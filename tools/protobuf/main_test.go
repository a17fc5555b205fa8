package main

import "testing"

func TestGeneratedCodeIsFresh(t *testing.T) {
	for _, schema := range schemas {
		if err := run("../../"+schema, true); err != nil {
			t.Error(err)
		}
	}
}
