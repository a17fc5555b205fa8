package mongo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// The tokens have their own collection, with one document for each. A token
// holds a tag of the stored password that it was issued for, and is valid only
// while the user has that password and the account is not disabled. So a
// program that replaces or removes a credential, including the original, ends
// its tokens with the same command. A token has two tags while a password is
// being stored in another form.
const (
	tokenCollection   = "web_backend_tokens"
	tokenPasswordTags = "password_tags"
	tokenExpiresAt    = "expires_at"
)

// tokenDocument is a token as it is stored. Times become BSON dates with a
// precision of one millisecond.
type tokenDocument struct {
	Hash         []byte    `bson:"_id"`
	UserID       string    `bson:"user_id"`
	PasswordTags [][]byte  `bson:"password_tags"`
	CreatedAt    time.Time `bson:"created_at"`
	ExpiresAt    time.Time `bson:"expires_at"`
}

// passwordTag returns a tag that distinguishes the stored passwords of a user.
// It does not reveal a password that is stored as a hash.
func passwordTag(userID, stored string) []byte {
	tag := hmac.New(sha256.New, []byte(userID))
	tag.Write([]byte(stored))
	return tag.Sum(nil)
}

// retag changes the password tags of tokens. The driver does not retry a
// command that changes several documents. retag retries it, because running
// this command twice does no harm.
func (s *Store) retag(ctx context.Context, filter bson.D, operator string, tags any) error {
	change := bson.D{{Key: operator, Value: bson.D{{Key: tokenPasswordTags, Value: tags}}}}
	_, err := s.tokens.UpdateMany(ctx, filter, change)
	if IsUnavailable(err) && ctx.Err() == nil {
		_, err = s.tokens.UpdateMany(ctx, filter, change)
	}
	return err
}

// CreateToken implements [backend.Store]. It checks the credential after it has
// stored the token. If the password changes or the account is disabled in the
// meantime, either the change also sees the token, or CreateToken notices the
// change.
func (s *Store) CreateToken(ctx context.Context, token backend.Token, credential backend.Credential) error {
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	byHash := bson.D{{Key: fieldID, Value: token.Hash[:]}}
	// Replace instead of insert, so that the command may be repeated.
	_, err = s.tokens.ReplaceOne(ctx, byHash, tokenDocument{
		Hash: token.Hash[:], UserID: token.UserID,
		PasswordTags: [][]byte{passwordTag(credential.UserID, credential.Password.Reveal())},
		CreatedAt:    token.CreatedAt, ExpiresAt: token.ExpiresAt,
	}, options.Replace().SetUpsert(true))
	if err != nil {
		return storeError(err)
	}
	enabled := bson.E{Key: fieldDisabled, Value: bson.D{{Key: "$ne", Value: true}}}
	id, err := idFrom(s.credentials.FindOne(ctx, append(storedAs(credential), enabled), options.FindOne().SetProjection(onlyID)))
	if err != nil {
		return storeError(err)
	}
	if !id.IsZero() {
		return nil
	}
	if _, err := s.tokens.DeleteOne(ctx, byHash); err != nil {
		return storeError(err)
	}
	return backend.CredentialNotFound(credential.Username)
}

// Token implements [backend.Store]. One command reads the token and the
// password.
func (s *Store) Token(ctx context.Context, hash backend.TokenHash, now time.Time) (backend.Token, error) {
	ctx, done := s.begin(ctx)
	defer done()
	const credentials = "credentials"
	none := backend.Token{}
	cursor, err := s.tokens.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{
			{Key: fieldID, Value: hash[:]}, {Key: tokenExpiresAt, Value: bson.D{{Key: "$gt", Value: now}}}}}},
		{{Key: "$lookup", Value: bson.D{
			{Key: "from", Value: s.credentials.Name()},
			{Key: "localField", Value: fieldUserID},
			{Key: "foreignField", Value: fieldUserID},
			{Key: "as", Value: credentials},
		}}},
	})
	if err != nil {
		return none, storeError(err)
	}
	var found []struct {
		Token       tokenDocument `bson:",inline"`
		Credentials []bson.Raw    `bson:"credentials"`
	}
	if err := cursor.All(ctx, &found); err != nil {
		return none, storeError(err)
	}
	if len(found) == 0 || !slices.ContainsFunc(found[0].Credentials, found[0].Token.isFor) {
		return none, backend.TokenNotFound()
	}
	token := found[0].Token
	return backend.Token{
		Hash: hash, UserID: token.UserID, CreatedAt: token.CreatedAt.UTC(), ExpiresAt: token.ExpiresAt.UTC()}, nil
}

// UserTokens implements [backend.Store]. It reads the passwords after the
// tokens, so it leaves out tokens that a change of the password has ended by
// then.
func (s *Store) UserTokens(ctx context.Context, userID string, now time.Time) ([]backend.Token, error) {
	ctx, done := s.begin(ctx)
	defer done()
	byUser := bson.D{{Key: fieldUserID, Value: userID}}
	var documents []tokenDocument
	cursor, err := s.tokens.Find(ctx, bson.D{byUser[0], {Key: tokenExpiresAt, Value: bson.D{{Key: "$gt", Value: now}}}})
	if err == nil {
		err = cursor.All(ctx, &documents)
	}
	if err != nil || len(documents) == 0 {
		return nil, storeError(err)
	}
	var credentials []bson.Raw
	cursor, err = s.credentials.Find(ctx, byUser)
	if err == nil {
		err = cursor.All(ctx, &credentials)
	}
	if err != nil {
		return nil, storeError(err)
	}
	var tokens []backend.Token
	for _, d := range documents {
		if !slices.ContainsFunc(credentials, d.isFor) {
			continue
		}
		token := backend.Token{UserID: userID, CreatedAt: d.CreatedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC()}
		copy(token.Hash[:], d.Hash)
		tokens = append(tokens, token)
	}
	slices.SortFunc(tokens, func(a, b backend.Token) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), bytes.Compare(a.Hash[:], b.Hash[:]))
	})
	return tokens, nil
}

// isFor reports whether the token was issued for the password of a credential
// that is not disabled.
func (d tokenDocument) isFor(credential bson.Raw) bool {
	if isDisabled(credential) {
		return false
	}
	password, ok := credential.Lookup(fieldPassword).StringValueOK()
	tag := passwordTag(d.UserID, password)
	return ok && slices.ContainsFunc(d.PasswordTags, func(given []byte) bool { return bytes.Equal(given, tag) })
}

// DeleteToken implements [backend.Store].
func (s *Store) DeleteToken(ctx context.Context, hash backend.TokenHash) error {
	ctx, done := s.begin(ctx)
	defer done()
	result, err := s.tokens.DeleteOne(ctx, bson.D{{Key: fieldID, Value: hash[:]}})
	if err != nil {
		return storeError(err)
	}
	if result.DeletedCount == 0 {
		return backend.TokenNotFound()
	}
	return nil
}
