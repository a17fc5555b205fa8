package api

import (
	"encoding/json"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
)

// RouteLevel is a route with its access level.
type RouteLevel struct {
	Method, Path string
	Level        auth.Level
}

// Levels returns the level of every route.
func (a *API) Levels() []RouteLevel {
	var levels []RouteLevel
	for _, route := range a.routes() {
		levels = append(levels, RouteLevel{route.method, route.path, route.endpoint.level})
	}
	return levels
}

// Routes returns the routes, each as method and path. The OpenAPI document
// describes the operations but not the pages. The WebSocket is in neither list.
func (a *API) Routes() (operations, pages []string) {
	for _, route := range a.routes() {
		name := route.method + " " + route.path
		switch {
		case route.path == motionDownloadPath:
		case route.endpoint.request == nil:
			pages = append(pages, name)
		default:
			operations = append(operations, name)
		}
	}
	return operations, pages
}

// Messages returns the catalogues of sentences by language.
func Messages() map[string]map[backend.RefusalReason]string { return messages }

// MembersOf returns the members of a valid JSON object that have these names.
func MembersOf(object []byte, names map[string]bool) map[string]json.RawMessage {
	members, _ := (&plan{names: names}).membersOf(object)
	return members
}

// SetMotionTimes sets how often clients are pinged, and after how long a client
// without requests is disconnected.
func (a *API) SetMotionTimes(ping, idle time.Duration) {
	a.motion.pingInterval, a.motion.idleTimeout = ping, idle
}

// ValidBody reports whether a body is accepted as JSON.
func ValidBody(raw []byte) bool { return jsontext.Value(raw).IsValid(anyJSON...) }
