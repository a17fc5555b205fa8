package maintenance

import (
	"context"

	"web-backend/internal/config"
)

// RetryAfter returns how long a schedule waits after a number of failed
// backups.
var RetryAfter = retryAfter

// RotationSteps is the number of steps of a key rotation.
var RotationSteps = len(new(rotation).steps())

// BreakOffRotation runs only the first steps of a key rotation.
func BreakOffRotation(ctx context.Context, cfg *config.Config, steps int) error {
	r := &rotation{cfg: cfg}
	return r.run(ctx, r.steps()[:steps])
}
