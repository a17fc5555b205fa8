package motion

import "context"

// Refresh is what Run does at each look.
func (l *Library) Refresh(ctx context.Context) { l.refresh(ctx) }
