package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// Session describes an access token to its user.
type Session struct {
	ID        string // 16 hexadecimal digits that do not reveal anything about the token
	CreatedAt time.Time
	ExpiresAt time.Time
	Current   bool // whether it is the token of this request
}

// sessionID returns the id of a token: a hash of its stored form.
func sessionID(token TokenHash) string {
	hash := sha256.Sum256(token[:])
	return hex.EncodeToString(hash[:8])
}

// Sessions returns the access tokens of the user to whom token belongs, in
// creation order. The error is Unauthorized if token is not valid.
func (s *Service) Sessions(ctx context.Context, token Secret) ([]Session, error) {
	tokens, err := s.tokensBeside(ctx, token)
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, len(tokens))
	for i, t := range tokens {
		sessions[i] = Session{sessionID(t.Hash), t.CreatedAt, t.ExpiresAt, t.Hash == HashToken(token)}
	}
	return sessions, nil
}

// EndSessions ends sessions of the user to whom token belongs, and returns how
// many have ended. It ends the sessions in ids or, if ids is nil, all except
// that of token. It ignores an id if the user does not have that session.
// Sessions end one after the other, so some may have ended before an error. The
// error is Unauthorized if token is not valid.
func (s *Service) EndSessions(ctx context.Context, token Secret, ids []string) (ended int, err error) {
	tokens, err := s.tokensBeside(ctx, token)
	if err != nil {
		return 0, err
	}
	for _, t := range tokens {
		if ids == nil && t.Hash == HashToken(token) || ids != nil && !slices.Contains(ids, sessionID(t.Hash)) {
			continue
		}
		switch err := s.store.DeleteToken(ctx, t.Hash); {
		case err == nil:
			ended++
		case !errors.Is(err, NotFound): // another request has ended it
			return ended, err
		}
	}
	return ended, nil
}

// tokensBeside returns all tokens of the user to whom token belongs.
func (s *Service) tokensBeside(ctx context.Context, token Secret) ([]Token, error) {
	userID, err := s.TokenUser(ctx, token)
	if err != nil {
		return nil, badToken(err)
	}
	return s.store.UserTokens(ctx, userID, s.now())
}
