package app

import (
	"web-backend/internal/api"
	"web-backend/internal/config"
)

// OpenAPI returns the OpenAPI document that a server with this configuration
// serves at /openapi.json. It opens nothing.
func OpenAPI(cfg *config.Config) []byte { return api.Document(cfg.BasePath) }
