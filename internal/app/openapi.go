package app

import (
	"log/slog"

	"web-backend/internal/api"
	"web-backend/internal/backend"
	"web-backend/internal/config"
)

// OpenAPI gives the OpenAPI document that a server of this configuration
// answers /openapi.json with. It opens nothing.
func OpenAPI(cfg *config.Config) ([]byte, error) {
	return api.New(backend.New(nil, backend.Options{}), slog.New(slog.DiscardHandler), api.Options{BasePath: cfg.BasePath}).Document()
}
