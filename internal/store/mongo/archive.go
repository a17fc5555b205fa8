package mongo

import (
	"context"
	"errors"
	"iter"

	"web-backend/internal/backend"
)

var errNotYet = errors.New("not made yet")

// Count implements [backend.Archive].
func (s *Store) Count(context.Context) (backend.Counts, error) { return backend.Counts{}, errNotYet }

// ExportUsers implements [backend.Archive].
func (s *Store) ExportUsers(context.Context) iter.Seq2[backend.UserData, error] {
	return func(yield func(backend.UserData, error) bool) { yield(backend.UserData{}, errNotYet) }
}

// UserData implements [backend.Archive].
func (s *Store) UserData(context.Context, []string) ([]backend.UserData, error) {
	return nil, errNotYet
}

// PutUsers implements [backend.Archive].
func (s *Store) PutUsers(context.Context, []backend.UserData) error { return errNotYet }
