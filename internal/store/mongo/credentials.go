package mongo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/text/unicode/norm"

	"web-backend/internal/backend"
)

// usernameForms returns the forms in which a user name may be stored, the best
// one first. This program stores the key of the name. The original stored the
// name as it was given. So a stored name that mixes composed and decomposed
// characters is found only in exactly that form.
func usernameForms(username string) []string {
	forms := []string{username}
	for _, form := range []string{backend.UsernameKey(username), norm.NFD.String(username)} {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// byUsername selects the credentials of user names.
func byUsername(usernames ...string) bson.D {
	forms := []string{} // nil would not be an array
	for _, username := range usernames {
		forms = append(forms, usernameForms(username)...)
	}
	return bson.D{{Key: fieldUsername, Value: bson.D{{Key: "$in", Value: forms}}}}
}

// mostWithoutKey limits how many credentials without a name key a registration
// examines. Other programs may have stored such credentials since the start.
const mostWithoutKey = 10_000

// fillNameKeys adds the name key to the credentials that have none. If another
// program changes a name at the same time, its credential stays without a key
// until the next start.
func (s *Store) fillNameKeys(ctx context.Context) error {
	const atOnce = 1000
	cursor, err := s.credentials.Find(ctx,
		bson.D{{Key: fieldNameKey, Value: nil}, {Key: fieldUsername, Value: bson.D{{Key: "$type", Value: "string"}}}},
		options.Find().SetProjection(bson.D{{Key: fieldUsername, Value: 1}}).SetBatchSize(atOnce))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }() // only read
	var changes []mongo.WriteModel
	for cursor.Next(ctx) {
		username := cursor.Current.Lookup(fieldUsername)
		changes = append(changes, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: fieldID, Value: cursor.Current.Lookup(fieldID)}, {Key: fieldUsername, Value: username}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: fieldNameKey, Value: backend.NameKey(username.StringValue())}}}}))
		if len(changes) < atOnce && cursor.RemainingBatchLength() > 0 {
			continue
		}
		if _, err := s.credentials.BulkWrite(ctx, changes, options.BulkWrite().SetOrdered(false)); err != nil {
			return err
		}
		changes = changes[:0]
	}
	return cursor.Err()
}

// nameTaken reports whether a credential has a name that people would confuse
// with username. It includes names that the original has stored since the
// start.
func (s *Store) nameTaken(ctx context.Context, username string) (bool, error) {
	key := backend.NameKey(username)
	cursor, err := s.credentials.Find(ctx,
		bson.D{{Key: fieldNameKey, Value: bson.D{{Key: "$in", Value: bson.A{key, nil}}}}},
		options.Find().SetProjection(bson.D{{Key: fieldUsername, Value: 1}}).
			SetSort(bson.D{{Key: fieldNameKey, Value: -1}}). // credentials with the key come first
			SetLimit(mostWithoutKey))
	if err != nil {
		return false, err
	}
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }() // only read
	for cursor.Next(ctx) {
		if name, ok := cursor.Current.Lookup(fieldUsername).StringValueOK(); ok && backend.NameKey(name) == key {
			return true, nil
		}
	}
	return false, cursor.Err()
}

// CreateCredential implements [backend.Store]. The unique indexes decide
// between concurrent calls, because all of these calls store the same username
// or the same claim.
func (s *Store) CreateCredential(ctx context.Context, credential backend.Credential) error {
	ctx, done := s.begin(ctx)
	defer done()
	if len(usernameForms(credential.Username)) > 1 { // the index knows only one of the forms
		id, err := idFrom(s.credentials.FindOne(ctx, byUsername(credential.Username), options.FindOne().SetProjection(onlyID)))
		if err != nil {
			return storeError(err)
		}
		if !id.IsZero() {
			return backend.UsernameTaken(credential.Username)
		}
	}
	taken, err := s.nameTaken(ctx, credential.Username)
	if err != nil {
		return storeError(err)
	}
	if taken {
		return backend.UsernameTaken(credential.Username)
	}
	claim := bson.E{Key: fieldNameClaim, Value: backend.NameKey(credential.Username)}
	_, err = s.credentials.InsertOne(ctx, append(credentialDocument(credential), claim))
	if !mongo.IsDuplicateKeyError(err) {
		return storeError(err)
	}
	id, err := idOf(ctx, s.credentials, credential.UserID)
	if err != nil {
		return storeError(err)
	}
	if !id.IsZero() {
		return backend.UserExists(credential.UserID)
	}
	return backend.UsernameTaken(credential.Username)
}

// credentialDocument returns a credential as it is stored.
func credentialDocument(credential backend.Credential) bson.D {
	key := backend.UsernameKey(credential.Username)
	document := bson.D{
		{Key: fieldUsername, Value: key},
		{Key: fieldPassword, Value: credential.Password.Reveal()},
		{Key: fieldUserID, Value: credential.UserID},
		{Key: fieldNameKey, Value: backend.NameKey(credential.Username)},
	}
	if credential.Username != key {
		document = append(document, bson.E{Key: fieldUsernameGiven, Value: credential.Username})
	}
	if credential.Disabled {
		document = append(document, bson.E{Key: fieldDisabled, Value: true})
	}
	return document
}

// credentialFrom reads a stored credential.
func credentialFrom(document bson.Raw) backend.Credential {
	username, given := document.Lookup(fieldUsernameGiven).StringValueOK()
	if !given {
		username, _ = document.Lookup(fieldUsername).StringValueOK()
	}
	password, _ := document.Lookup(fieldPassword).StringValueOK()
	userID, _ := document.Lookup(fieldUserID).StringValueOK()
	return backend.Credential{
		Username: username, Password: backend.NewSecret(password), UserID: userID, Disabled: isDisabled(document)}
}

func isDisabled(credential bson.Raw) bool {
	disabled, _ := credential.Lookup(fieldDisabled).BooleanOK()
	return disabled
}

// storedAs selects a credential that is stored with exactly this name, user id
// and password.
func storedAs(credential backend.Credential) bson.D {
	return append(byUsername(credential.Username),
		bson.E{Key: fieldUserID, Value: credential.UserID},
		bson.E{Key: fieldPassword, Value: credential.Password.Reveal()})
}

// Credential implements [backend.Store]. If the original stored a name in more
// than one form, each form finds its own credential.
func (s *Store) Credential(ctx context.Context, username string) (backend.Credential, error) {
	ctx, done := s.begin(ctx)
	defer done()
	documents, err := s.named(ctx, username)
	if err != nil {
		return backend.Credential{}, storeError(err)
	}
	document := bestNamed(documents, username)
	if document == nil {
		return backend.Credential{}, backend.CredentialNotFound(username)
	}
	return credentialFrom(document), nil
}

// UsernameOwners implements [backend.Archive].
func (s *Store) UsernameOwners(ctx context.Context, usernames []string) (map[string]string, error) {
	ctx, done := s.begin(ctx)
	defer done()
	documents, err := s.named(ctx, usernames...)
	if err != nil {
		return nil, storeError(err)
	}
	owners := map[string]string{}
	for _, username := range usernames {
		if document := bestNamed(documents, username); document != nil {
			owners[backend.UsernameKey(username)] = credentialFrom(document).UserID
		}
	}
	return owners, nil
}

// named reads the credentials that have any of the user names in any form.
func (s *Store) named(ctx context.Context, usernames ...string) (documents []bson.Raw, err error) {
	cursor, err := s.credentials.Find(ctx, byUsername(usernames...))
	if err != nil {
		return nil, err
	}
	return documents, cursor.All(ctx, &documents)
}

// bestNamed returns the credential that has the user name in its best form, or
// nil if there is none. If there are several, it returns the oldest one.
func bestNamed(documents []bson.Raw, username string) bson.Raw {
	forms := usernameForms(username)
	place := func(document bson.Raw) int {
		form, _ := document.Lookup(fieldUsername).StringValueOK()
		return slices.Index(forms, form)
	}
	others := func(document bson.Raw) bool { return place(document) < 0 }
	documents = slices.DeleteFunc(slices.Clone(documents), others)
	if len(documents) == 0 {
		return nil
	}
	return slices.MinFunc(documents, func(a, b bson.Raw) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), bytes.Compare(a.Lookup(fieldID).Value, b.Lookup(fieldID).Value))
	})
}

// ReplacePassword implements [backend.Store]. One command replaces the password
// and thereby ends the tokens that were issued for the old one. If tokens are
// to be kept, ReplacePassword first makes them valid for the new password too.
// The new password is a hash with its own salt, so if this call does not store
// it, it is never stored. After the password is replaced, only cleanup is left,
// and a failure of the cleanup is not an error of the call.
func (s *Store) ReplacePassword(
	ctx context.Context, credential backend.Credential, password backend.Secret, fate backend.TokenFate,
) error {
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	before := passwordTag(credential.UserID, credential.Password.Reveal())
	after := passwordTag(credential.UserID, password.Reveal())
	tokens := append(byUser(credential.UserID), bson.E{Key: tokenPasswordTags, Value: before})
	if fate == backend.KeepTokens {
		if err := s.retag(ctx, tokens, "$addToSet", after); err != nil {
			return storeError(err)
		}
	}
	result, err := s.credentials.UpdateOne(ctx, storedAs(credential),
		bson.D{{Key: "$set", Value: bson.D{{Key: fieldPassword, Value: password.Reveal()}}}})
	if err != nil {
		return storeError(err)
	}
	if result.MatchedCount == 0 {
		return backend.CredentialNotFound(credential.Username)
	}
	if fate == backend.KeepTokens {
		_ = s.retag(ctx, tokens, "$set", bson.A{after}) // includes tokens that a login has stored since
		return nil
	}
	_, err = s.tokens.DeleteMany(ctx, tokens)
	if password == credential.Password { // then only the deletion ends the tokens
		return storeError(err)
	}
	return nil
}

// SetDisabled implements [backend.Store]. One command disables the account and
// thereby ends its tokens, because a token of a disabled account is not valid.
// The tokens are removed then, or at the latest before the account is enabled
// again.
func (s *Store) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	if !disabled {
		return storeError(s.enable(ctx, userID))
	}
	result, err := s.credentials.UpdateOne(ctx, byUser(userID), bson.D{{Key: "$set", Value: bson.D{{Key: fieldDisabled, Value: true}}}})
	if err != nil {
		return storeError(err)
	}
	if result.MatchedCount == 0 {
		return backend.UserNotFound(userID)
	}
	_, _ = deleteFound(ctx, s.tokens, byUser(userID)) // only cleanup
	return nil
}

// enable enables an account if it is disabled.
func (s *Store) enable(ctx context.Context, userID string) error {
	credential, err := s.credentials.FindOne(ctx, byUser(userID),
		options.FindOne().SetProjection(bson.D{{Key: fieldDisabled, Value: 1}})).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return backend.UserNotFound(userID)
	case err != nil:
		return err
	case !isDisabled(credential):
		return nil // its tokens stay
	}
	if _, err := deleteFound(ctx, s.tokens, byUser(userID)); err != nil {
		return err
	}
	_, err = s.credentials.UpdateOne(ctx, byUser(userID), bson.D{{Key: "$unset", Value: bson.D{{Key: fieldDisabled, Value: ""}}}})
	return err
}
