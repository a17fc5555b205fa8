package auth

import (
	"fmt"
	"strconv"
)

// Mode says how much proof of identity the server requires from callers. The
// zero value is not a valid mode and denies all access.
type Mode uint8

// The modes.
const (
	Open    Mode = iota + 1 // as in the original: everyone may use all routes of docs/contract.md
	Guarded                 // a user id is enough for the routes of a user; operators need a token
	Strict                  // everyone needs a token, except for public routes
)

var modeNames = map[Mode]string{Open: "open", Guarded: "guarded", Strict: "strict"}

// ParseMode parses the name of a mode in the configuration.
func ParseMode(name string) (Mode, error) {
	for mode, modeName := range modeNames {
		if name == modeName {
			return mode, nil
		}
	}
	return 0, fmt.Errorf("access is %.64q, want open, guarded or strict", name)
}

// String returns the name that ParseMode accepts.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return "unset"
}

// Level says who may call a route. The zero value is unset: a route without a
// level cannot be called.
type Level uint8

// The levels.
const (
	Public        Level = iota + 1 // everyone
	Owner                          // the user that the request names, and operators
	LocalOperator                  // operators, and programs on this machine: for routes of the original
	Operator                       // operators with their token, in every mode: for routes that the original does not have
	AnyUser                        // everyone; in strict mode, only users and operators: for data without an owner
)

var levelNames = map[Level]string{Public: "public", Owner: "owner", LocalOperator: "local-operator", Operator: "operator", AnyUser: "any-user"}

// String returns the name of the level, for documents and tables.
func (l Level) String() string {
	if name, ok := levelNames[l]; ok {
		return name
	}
	return "unset"
}

// Valid reports whether the level is one of the defined levels.
func (l Level) Valid() bool { return levelNames[l] != "" }

// CallerKind says what the server knows about the sender of a request.
type CallerKind uint8

// The kinds of callers.
const (
	CallerNobody   CallerKind = iota // no token
	CallerLoopback                   // no token, but certainly a program on this machine
	CallerUser                       // a token of the user in UserID
	CallerOperator                   // an operator token
	CallerBadToken                   // a token that is unknown, malformed, expired or ended
)

// Caller is the sender of a request.
type Caller struct {
	Kind   CallerKind
	UserID string // with CallerUser
	Token  int    // with CallerOperator: the number of the token, starting at 1
}

// String describes the caller for the log. It does not reveal anything about a
// token or a user.
func (c Caller) String() string {
	switch c.Kind {
	case CallerNobody:
		return "nobody"
	case CallerLoopback:
		return "loopback"
	case CallerUser:
		return "user"
	case CallerOperator:
		return "operator#" + strconv.Itoa(c.Token)
	case CallerBadToken:
		return "bad_token"
	}
	return "unknown"
}

// Verdict is the decision about a request. The zero value is Forbidden.
type Verdict uint8

// The verdicts, with the HTTP status and the error code of RFC 6750 that report
// them to the caller.
const (
	Forbidden  Verdict = iota // 403: this caller is not allowed
	NeedsToken                // 401: the request has no token, and a token may be allowed
	BadToken                  // 401 invalid_token: the token of the request is not valid
	Allow
)

var verdictNames = map[Verdict]string{
	Forbidden: "forbidden", NeedsToken: "needs token", BadToken: "bad token", Allow: "allow",
}

// String returns the name of the verdict, for tests and log lines.
func (v Verdict) String() string { return verdictNames[v] }

// LooksAtCaller reports whether Decide depends on the caller. If it does not, a
// token does not have to be looked up, and a bad token is ignored.
func LooksAtCaller(mode Mode, level Level) bool {
	switch level {
	case Owner, AnyUser:
		return mode == Strict
	case LocalOperator:
		return mode == Guarded || mode == Strict
	}
	return level == Operator
}

// Decide decides whether caller may call a route with this level, about the
// user userID. userID is "" if the request does not name a user. Only strict
// mode checks which user owns the token. The verdict does not depend on whether
// that user exists.
func Decide(mode Mode, level Level, caller Caller, userID string) Verdict {
	if mode.String() == "unset" || level.String() == "unset" {
		return Forbidden
	}
	if !LooksAtCaller(mode, level) {
		return Allow
	}
	switch caller.Kind {
	case CallerOperator:
		return Allow
	case CallerBadToken:
		return BadToken
	case CallerNobody:
		return NeedsToken
	case CallerLoopback:
		if mode == Guarded && level == LocalOperator {
			return Allow
		}
		return NeedsToken
	case CallerUser:
		if level == AnyUser || level == Owner && caller.UserID == userID && userID != "" {
			return Allow
		}
	}
	return Forbidden
}
