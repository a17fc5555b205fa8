package mongo

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"web-backend/internal/backend"
)

// putAtOnce is how many users are stored at the same time. Each one mostly
// waits for the database.
const putAtOnce = 8

// PutUsers implements [backend.Archive].
func (s *Store) PutUsers(ctx context.Context, users []backend.UserData) error {
	for len(users) > 0 {
		some := distinctUsers(users)
		if err := s.putDistinct(ctx, some); err != nil {
			return err
		}
		users = users[len(some):]
	}
	return nil
}

// distinctUsers returns the users before the first one whose id or user name is
// the same as that of an earlier user. Such a user must be stored after the
// earlier one.
func distinctUsers(users []backend.UserData) []backend.UserData {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, user := range users {
		if ids[user.UserID()] {
			return users[:i]
		}
		ids[user.UserID()] = true
		if user.Credential == nil {
			continue
		}
		key := backend.UsernameKey(user.Credential.Username)
		if names[key] {
			return users[:i]
		}
		names[key] = true
	}
	return users
}

// putDistinct stores users that have different ids and names, several at the
// same time. New users get _ids in the order of users.
func (s *Store) putDistinct(ctx context.Context, users []backend.UserData) error {
	ids := newIDs(2 * len(users))
	exists := make([]bool, len(users))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(putAtOnce)
	for i, user := range users {
		group.Go(func() error {
			err := s.putOne(groupCtx, user, [2]bson.ObjectID(ids[2*i:]))
			if errors.Is(err, backend.Exists) {
				exists[i] = true
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, user := range users {
		if !exists[i] {
			continue
		}
		// Another user may have given up the name since.
		if err := s.putOne(ctx, user, [2]bson.ObjectID(ids[2*i:])); err != nil {
			return err
		}
	}
	return nil
}

// nameFree returns Exists if another user has the user name of a credential
// that is about to replace old. It makes no query if the unique index will
// detect that before anything is removed.
func (s *Store) nameFree(ctx context.Context, old stored, credential *backend.Credential) error {
	if credential == nil || old.config == nil && len(usernameForms(credential.Username)) == 1 {
		return nil
	}
	documents, err := s.named(ctx, credential.Username)
	if err != nil {
		return err
	}
	for _, document := range documents {
		if credentialFrom(document).UserID != credential.UserID {
			return backend.UsernameTaken(credential.Username)
		}
	}
	return nil
}

// withID returns a document with an _id that this program chose.
func withID(id any, document bson.D) bson.D {
	return append(bson.D{{Key: fieldID, Value: id}}, document...)
}

// putOne replaces everything that is stored for a user. If the characters
// change, putOne removes the config first, so that the user is hidden during
// the change, and stores it last, under the same _id. If putOne is interrupted,
// the lock still holds the old config with its provider keys, which an import
// without secrets does not bring along. fresh are the _ids for a new credential
// and a new config.
func (s *Store) putOne(ctx context.Context, data backend.UserData, fresh [2]bson.ObjectID) error {
	if err := distinct(data.Characters); err != nil {
		return err
	}
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return err
	}
	defer done()
	userID := data.UserID()
	return s.alone(ctx, userID, func(held heldLock) error {
		found, err := s.readStored(ctx, []string{userID}, math.MaxInt, refuseBad)
		if err != nil {
			return storeError(err)
		}
		if err := s.nameFree(ctx, found[userID], data.Credential); err != nil {
			return storeError(err)
		}
		return storeError(s.replace(ctx, held, found[userID], data, fresh))
	})
}

// replace stores data in place of old, which belongs to the same user.
func (s *Store) replace(
	ctx context.Context, held heldLock, old stored, data backend.UserData, fresh [2]bson.ObjectID,
) error {
	credentialID, configID := positionsOf(old, data, fresh)
	same := old.config != nil && data.Config != nil && configID.Equal(old.config.Lookup(fieldID)) &&
		slices.EqualFunc(old.characters, data.Characters,
			func(a storedCharacter, b backend.Character) bool { return a.character == b })
	if old.config != nil && !same {
		if err := s.save(ctx, held, old.config); err != nil {
			return err
		}
		if err := s.hide(ctx, old.config); err != nil {
			return err
		}
	}
	if err := s.replaceCredential(ctx, old, data, credentialID); err != nil {
		return err
	}
	if data.Config != nil && same {
		_, err := s.configs.UpdateOne(ctx, bson.D{{Key: fieldID, Value: configID}},
			bson.D{
				{Key: "$set", Value: configDocument(*data.Config)},
				{Key: "$unset", Value: bson.D{{Key: fieldReplacing, Value: ""}}},
			})
		return err
	}
	if err := s.removeCharacters(ctx, old.characters); err != nil {
		return err
	}
	if data.Config == nil {
		return nil
	}
	if err := s.insertCharacters(ctx, data.Characters); err != nil {
		return err
	}
	document := withUnknown(withID(configID, configDocument(*data.Config)), old.config)
	_, err := s.configs.InsertOne(ctx, document)
	return err
}

// removeCharacters removes these characters, but none that were created after
// they were read.
func (s *Store) removeCharacters(ctx context.Context, characters []storedCharacter) error {
	if len(characters) == 0 {
		return nil
	}
	ids := make(bson.A, len(characters))
	for i, c := range characters {
		ids[i] = c.id
	}
	_, err := s.characters.DeleteMany(ctx, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}})
	return err
}

// hide removes a config that will come back under the same _id. It marks the
// config first and then removes it by that mark. So a removal that is delayed
// in transit until the new config is stored does not match the new config.
func (s *Store) hide(ctx context.Context, config bson.Raw) error {
	byID := bson.D{{Key: fieldID, Value: config.Lookup(fieldID)}}
	mark := bson.E{Key: fieldReplacing, Value: bson.NewObjectID()}
	if _, err := s.configs.UpdateOne(ctx, byID, bson.D{{Key: "$set", Value: bson.D{mark}}}); err != nil {
		return err
	}
	_, err := s.configs.DeleteOne(ctx, append(byID, mark))
	return err
}

// positionsOf returns the _ids for the credential and the config of data. These
// are the _ids of old. If the document that determined the user's position in
// the creation order is removed, the other document takes over its _id.
func positionsOf(old stored, data backend.UserData, fresh [2]bson.ObjectID) (credential, config bson.RawValue) {
	credential, config = rawID(fresh[0]), rawID(fresh[1])
	if old.credential != nil {
		credential = old.credential.Lookup(fieldID)
	}
	if old.config != nil {
		config = old.config.Lookup(fieldID)
	}
	older := func(a, b bson.RawValue) bool { return bytes.Compare(a.Value, b.Value) < 0 }
	if data.Credential == nil && old.credential != nil && older(credential, config) {
		config = credential
	}
	if data.Config == nil && old.config != nil && older(config, credential) {
		credential = config
	}
	return credential, config
}

func rawID(id bson.ObjectID) bson.RawValue {
	return bson.RawValue{Type: bson.TypeObjectID, Value: id[:]}
}

// replaceCredential stores data's credential, if there is one, under id in
// place of the old one. The tokens stay valid only if the password is the same
// and the account is not disabled. Otherwise they are removed, because the old
// password could be set again one day.
func (s *Store) replaceCredential(ctx context.Context, old stored, data backend.UserData, id bson.RawValue) error {
	credential := data.Credential
	var before backend.Credential
	inPlace := false
	if old.credential != nil {
		before = credentialFrom(old.credential)
		if before.Disabled { // no token may become valid with the new credential
			if _, err := deleteFound(ctx, s.tokens, byUser(data.UserID())); err != nil {
				return err
			}
		}
		inPlace = credential != nil && old.credential.Lookup(fieldID).Equal(id)
		if !inPlace {
			if err := remove(ctx, s.credentials, old.credential); err != nil {
				return err
			}
		}
	}
	switch {
	case inPlace && *credential != before:
		if err := s.updateCredential(ctx, id, before.Username, *credential); err != nil {
			return err
		}
	case !inPlace && credential != nil:
		document := withUnknown(withID(id, credentialDocument(*credential)), old.credential)
		if _, err := s.credentials.InsertOne(ctx, document); err != nil {
			return nameError(err, credential.Username)
		}
	}
	if old.credential == nil && old.config == nil {
		return nil // a new user has no tokens
	}
	return s.removeDeadTokens(ctx, data.UserID(), credential)
}

// removeDeadTokens removes the tokens of a user that were issued for a password
// other than the one of credential, or all of them if it is disabled. That
// includes tokens that an interrupted put left behind.
func (s *Store) removeDeadTokens(ctx context.Context, userID string, credential *backend.Credential) error {
	dead := byUser(userID)
	if credential != nil && !credential.Disabled {
		tag := passwordTag(userID, credential.Password.Reveal())
		dead = append(dead, bson.E{Key: tokenPasswordTags, Value: bson.D{{Key: "$ne", Value: tag}}})
	}
	_, err := deleteFound(ctx, s.tokens, dead)
	return err
}

// updateCredential changes the document under id. before is the user name that
// the document had. It does not claim a new name, because a claim could be
// rejected, but a put must not be.
func (s *Store) updateCredential(ctx context.Context, id bson.RawValue, before string, credential backend.Credential) error {
	change, gone := bson.D{{Key: "$set", Value: credentialDocument(credential)}}, bson.D{}
	if backend.UsernameKey(credential.Username) == credential.Username {
		gone = append(gone, bson.E{Key: fieldUsernameGiven, Value: ""})
	}
	if backend.NameKey(credential.Username) != backend.NameKey(before) {
		gone = append(gone, bson.E{Key: fieldNameClaim, Value: ""})
	}
	if !credential.Disabled {
		gone = append(gone, bson.E{Key: fieldDisabled, Value: ""})
	}
	if len(gone) > 0 {
		change = append(change, bson.E{Key: "$unset", Value: gone})
	}
	_, err := s.credentials.UpdateOne(ctx, bson.D{{Key: fieldID, Value: id}}, change)
	return nameError(err, credential.Username)
}

// nameError returns Exists if a unique index rejected a user name.
func nameError(err error, username string) error {
	if mongo.IsDuplicateKeyError(err) {
		return backend.UsernameTaken(username)
	}
	return err
}

func remove(ctx context.Context, collection *mongo.Collection, document bson.Raw) error {
	_, err := collection.DeleteOne(ctx, bson.D{{Key: fieldID, Value: document.Lookup(fieldID)}})
	return err
}

// withUnknown adds those fields of old that this server does not know, because
// they must survive every change.
func withUnknown(document bson.D, old bson.Raw) bson.D {
	own := []string{fieldUsernameGiven, fieldNameClaim, fieldDisabled, fieldReplacing}
	elements, _ := old.Elements() // nil has no elements
	for _, element := range elements {
		key := element.Key()
		known := slices.ContainsFunc(document, func(e bson.E) bool { return e.Key == key })
		if !known && !slices.Contains(own, key) {
			document = append(document, bson.E{Key: key, Value: element.Value()})
		}
	}
	return document
}
