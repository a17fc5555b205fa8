package motion

import "context"

// Refresh does one check of Run.
func (l *Library) Refresh(ctx context.Context) { l.refresh(ctx) }
