package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"
)

// Session is an access token as its user sees it.
type Session struct {
	ID        string // 16 hexadecimal digits, which tell nothing of the token
	CreatedAt time.Time
	ExpiresAt time.Time
	Current   bool // it is the token that asked
}

// sessionID names a token: a hash of what is stored of it.
func sessionID(token TokenHash) string {
	hash := sha256.Sum256(token[:])
	return hex.EncodeToString(hash[:8])
}

// Sessions lists the access tokens of the user of token, in creation order.
// Unauthorized if token is none that counts.
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

// EndSessions ends those sessions of the user of token that ids name, or if ids
// is nil all but that of token, and tells how many have ended. An id that the
// user has no session of is passed over. They end one after the other: after an
// error some may have ended. Unauthorized if token is none that counts.
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
		case !errors.Is(err, NotFound): // somebody else was faster
			return ended, err
		}
	}
	return ended, nil
}

// tokensBeside gives all tokens of the user of token.
func (s *Service) tokensBeside(ctx context.Context, token Secret) ([]Token, error) {
	userID, err := s.TokenUser(ctx, token)
	if err != nil {
		return nil, badToken(err)
	}
	return s.store.UserTokens(ctx, userID, s.now())
}
