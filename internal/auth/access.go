package auth

import (
	"fmt"
	"strconv"
)

// Mode is how much the server asks of its callers. The zero value is no mode,
// and lets nobody in.
type Mode uint8

// The modes.
const (
	Open    Mode = iota + 1 // as in the original: everyone may do everything that is in docs/contract.md
	Guarded                 // a user id is enough for what is a user's; operators prove themselves
	Strict                  // everyone proves who they are, except for what is public
)

var modeNames = map[Mode]string{Open: "open", Guarded: "guarded", Strict: "strict"}

// ParseMode reads the name of a mode as it stands in the configuration.
func ParseMode(name string) (Mode, error) {
	for mode, modeName := range modeNames {
		if name == modeName {
			return mode, nil
		}
	}
	return 0, fmt.Errorf("access is %.64q, want open, guarded or strict", name)
}

// String gives the name that ParseMode reads.
func (m Mode) String() string {
	if name, ok := modeNames[m]; ok {
		return name
	}
	return "unset"
}

// Level says who may call a route. The zero value is unset: nobody may call a
// route of which nobody said who may.
type Level uint8

// The levels.
const (
	Public        Level = iota + 1 // everyone
	Owner                          // the user whom the request names, and operators
	LocalOperator                  // operators, and programs on this machine: what the original had
	Operator                       // operators by their token, in every mode: what is ours
	AnyUser                        // everyone, and with strict every user: what belongs to nobody
)

var levelNames = map[Level]string{Public: "public", Owner: "owner", LocalOperator: "local-operator", Operator: "operator", AnyUser: "any-user"}

// String gives the name of the level, for documents and tables.
func (l Level) String() string {
	if name, ok := levelNames[l]; ok {
		return name
	}
	return "unset"
}

// Valid reports whether the level is one of those that there are.
func (l Level) Valid() bool { return levelNames[l] != "" }

// CallerKind is what is known of who sent a request.
type CallerKind uint8

// The kinds of callers.
const (
	CallerNobody   CallerKind = iota // no token
	CallerLoopback                   // no token, but certainly a program on this machine
	CallerUser                       // a token of the user in UserID
	CallerOperator                   // an operator token
	CallerBadToken                   // a token that is unknown, malformed, expired or ended
)

// Caller is who sent a request.
type Caller struct {
	Kind   CallerKind
	UserID string // with CallerUser
	Token  int    // with CallerOperator: which of the tokens, from 1
}

// String tells for the log who called, and nothing of a token or a user.
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

// Verdict is what becomes of a request. The zero value is Forbidden.
type Verdict uint8

// The verdicts, with the status and the error code of RFC 6750 that say them
// to the caller.
const (
	Forbidden  Verdict = iota // 403: whoever this is, they may not
	NeedsToken                // 401: someone else may
	BadToken                  // 401 invalid_token: the token that came is worth nothing
	Allow
)

var verdictNames = map[Verdict]string{
	Forbidden: "forbidden", NeedsToken: "needs token", BadToken: "bad token", Allow: "allow",
}

// String gives the name of the verdict, for tests and log lines.
func (v Verdict) String() string { return verdictNames[v] }

// LooksAtCaller reports whether Decide depends on the caller. Where it does
// not, a token need not be looked up, and a bad one does no harm.
func LooksAtCaller(mode Mode, level Level) bool {
	switch level {
	case Owner, AnyUser:
		return mode == Strict
	case LocalOperator:
		return mode == Guarded || mode == Strict
	}
	return level == Operator
}

// Decide says whether caller may make a request to a route of the level about
// the user userID, "" if it names none. Only strict asks whose token it is.
// The verdict does not depend on whether that user exists.
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
