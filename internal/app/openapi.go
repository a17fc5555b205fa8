package app

import (
	"web-backend/internal/api"
	"web-backend/internal/config"
)

// OpenAPI returns the OpenAPI document that a server of this configuration
// answers /openapi.json with. It opens nothing.
func OpenAPI(cfg *config.Config) []byte { return api.Document(cfg.BasePath) }
