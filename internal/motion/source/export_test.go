package source

import "time"

// SetStall changes the maximum time that a server may be silent.
func (s *S3) SetStall(d time.Duration) { s.stall = d }

// SetAnswer changes the maximum time that a server may be silent.
func (m *MySQL) SetAnswer(d time.Duration) { m.answer = d }

// SetLimit changes the maximum time for Read.
func (s *SQLite) SetLimit(d time.Duration) { s.limit = d }
