package source

import "time"

// SetStall changes the maximum time that a server may be silent.
func (s *S3) SetStall(d time.Duration) { s.stall = d }

// SetReadTimeout changes the maximum time that a server may be silent.
func (m *MySQL) SetReadTimeout(d time.Duration) { m.readTimeout = d }

// SetLimit changes the maximum time for Read.
func (s *SQLite) SetLimit(d time.Duration) { s.limit = d }
