package source

import "time"

// SetStall changes how long a server may keep silent.
func (s *S3) SetStall(d time.Duration) { s.stall = d }
