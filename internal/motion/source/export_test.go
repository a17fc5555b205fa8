package source

import "time"

// SetStall changes how long a server may keep silent.
func (s *S3) SetStall(d time.Duration) { s.stall = d }

// SetAnswer changes how long a server may keep silent.
func (m *MySQL) SetAnswer(d time.Duration) { m.answer = d }

// SetLimit changes how long Read may take.
func (s *SQLite) SetLimit(d time.Duration) { s.limit = d }
