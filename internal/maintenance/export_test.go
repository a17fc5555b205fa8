package maintenance

import (
	"context"

	"web-backend/internal/config"
)

// RetryAfter is how long a schedule waits after so many failed backups.
var RetryAfter = retryAfter

// RotationSteps is how many steps a rotation of keys has.
var RotationSteps = len(new(rotation).steps())

// BreakOffRotation does the first steps of a rotation and no more.
func BreakOffRotation(ctx context.Context, cfg *config.Config, steps int) error {
	r := &rotation{cfg: cfg}
	return r.run(ctx, r.steps()[:steps])
}
