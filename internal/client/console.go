package client

import (
	"fmt"
	"strings"
	"time"

	"web-backend/internal/auth"
	"web-backend/internal/backend"
	"web-backend/internal/config"
)

// ConsoleLink returns a link that signs in an operator once in the console of
// the server, which does not have to run yet. The link is secret.
func ConsoleLink(cfg *config.Config) (backend.Secret, error) {
	tokens, location, err := operatorTokens(cfg)
	if err != nil {
		return backend.Secret{}, err
	}
	if len(tokens) == 0 {
		return backend.Secret{}, fmt.Errorf("there is no operator token in %s; start the server once, or set WEB_BACKEND_OPERATOR_TOKEN", location)
	}
	address, err := knownURL(cfg, true)
	if err != nil {
		return backend.Secret{}, err
	}
	code := auth.NewTickets(auth.NewOperatorTokens(tokens), time.Now).Make(auth.SignInTicket, 1)
	return backend.NewSecret(strings.TrimRight(address, "/") + "/console/sign-in?code=" + code.Reveal()), nil
}
