package api

import (
	"net/http"

	"github.com/swaggest/openapi-go/openapi31"

	"web-backend/internal/auth"
)

// Names of the security schemes of the OpenAPI document.
const (
	userTokenScheme     = "userToken"
	operatorTokenScheme = "operatorToken"
)

// describeSecuritySchemes adds the schemes, which Swagger UI's Authorize
// button asks for.
func describeSecuritySchemes(spec *openapi31.Spec) {
	for name, description := range map[string]string{
		userTokenScheme:     "access_token of POST /api/v1/authenticate_user. Needed for a user's routes where access is strict.",
		operatorTokenScheme: "Operator token of the server, for every route. Routes that take nothing else need it in every mode; an operator's other routes are open where access is open, and to programs on the server's own machine where it is guarded (unless local_operator is false).",
	} {
		scheme := openapi31.SecurityScheme{Description: &description, HTTPBearer: &openapi31.SecuritySchemeHTTPBearer{Scheme: "bearer"}}
		spec.ComponentsEns().WithSecuritySchemesItem(name, openapi31.SecuritySchemeOrReference{SecurityScheme: &scheme})
	}
}

// security says which of the schemes a route takes. The document is one for
// every mode, so each route that needs no token in some mode can do without one.
func (r route) security() []map[string][]string {
	user, operator := map[string][]string{userTokenScheme: {}}, map[string][]string{operatorTokenScheme: {}}
	none := map[string][]string{}
	switch {
	case r.session:
		return []map[string][]string{user}
	case r.endpoint.level == auth.Owner:
		return []map[string][]string{user, operator, none}
	case r.endpoint.level == auth.LocalOperator:
		return []map[string][]string{operator, none}
	case r.endpoint.level == auth.Operator:
		return []map[string][]string{operator}
	}
	return nil
}

// refusals are the statuses with which a route refuses a caller in some mode.
func (r route) refusals() []int {
	if r.endpoint.level == auth.Public {
		return nil
	}
	return []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}
}
