package mongo

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/backend"
)

// putAtOnce is how many new users share their commands.
const putAtOnce = 100

// PutUsers implements [backend.Archive]. Users that are new are stored together,
// by few commands; each other one by itself.
func (s *Store) PutUsers(ctx context.Context, users []backend.UserData) error {
	for len(users) > 0 {
		count, err := s.putSome(ctx, users)
		if err != nil {
			return err
		}
		users = users[count:]
	}
	return nil
}

// putSome stores the first of users, and gives their number.
func (s *Store) putSome(ctx context.Context, users []backend.UserData) (count int, err error) {
	ctx, done, err := s.beginWhole(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	some := distinctUsers(users[:min(putAtOnce, len(users))])
	userIDs := idsOf(some)
	known, err := s.known(ctx, userIDs)
	if err != nil {
		return 0, storeError(err)
	}
	if end := slices.IndexFunc(userIDs, func(id string) bool { return known[id] }); end >= 0 {
		some, userIDs = some[:end], userIDs[:end]
	}
	if len(some) > 1 {
		put, err := s.putNew(ctx, some, userIDs)
		if err != nil || put {
			return len(some), err
		}
	}
	return 1, s.putOne(ctx, users[0])
}

// distinctUsers gives the first of users, up to one that is there already.
func distinctUsers(users []backend.UserData) []backend.UserData {
	seen := map[string]bool{}
	for i, user := range users {
		if seen[user.UserID()] {
			return users[:i]
		}
		seen[user.UserID()] = true
	}
	return users
}

func idsOf(users []backend.UserData) []string {
	userIDs := make([]string, len(users))
	for i, user := range users {
		userIDs[i] = user.UserID()
	}
	return userIDs
}

// known tells which of users have a credential or a config.
func (s *Store) known(ctx context.Context, userIDs []string) (map[string]bool, error) {
	known := map[string]bool{}
	for _, collection := range []*mongo.Collection{s.credentials, s.configs} {
		cursor, err := collection.Find(ctx, ofUsers(userIDs), options.Find().SetProjection(onlyOwnedID))
		if err != nil {
			return nil, err
		}
		var documents []struct {
			UserID string `bson:"user_id"`
		}
		if err := cursor.All(ctx, &documents); err != nil {
			return nil, err
		}
		for _, document := range documents {
			known[document.UserID] = true
		}
	}
	return known, nil
}

// putNew stores users that were unknown, unless somebody else is making one of
// them; then it stores nothing. The credentials go first, as the index on them
// may refuse a name, and the configs last, which make the users visible.
func (s *Store) putNew(ctx context.Context, users []backend.UserData, userIDs []string) (put bool, err error) {
	documents, err := documentsOf(users)
	if err != nil {
		return false, err
	}
	unlock, all, err := s.lockAll(ctx, userIDs)
	defer unlock()
	if err != nil || !all {
		return false, storeError(err)
	}
	known, err := s.known(ctx, userIDs)
	if err != nil || len(known) > 0 {
		return false, storeError(err)
	}
	if err := s.namesFree(ctx, users); err != nil {
		return false, err
	}
	if _, err := deleteFound(ctx, s.characters, ofUsers(userIDs)); err != nil {
		return false, storeError(err)
	}
	if err := insertAll(ctx, s.credentials, documents.credentials); err != nil {
		if failed, ok := refused(err); ok {
			return false, backend.UsernameTaken(documents.names[failed])
		}
		return false, storeError(err)
	}
	for _, part := range []struct {
		to        *mongo.Collection
		documents []bson.D
	}{{s.characters, documents.characters}, {s.configs, documents.configs}} {
		if err := insertAll(ctx, part.to, part.documents); err != nil {
			return false, storeError(err)
		}
	}
	return true, nil
}

// refused gives the place of the document that a unique index refused.
func refused(err error) (index int, ok bool) {
	many, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || !mongo.IsDuplicateKeyError(err) || len(many.WriteErrors) == 0 {
		return 0, false
	}
	return many.WriteErrors[0].Index, true
}

func insertAll(ctx context.Context, collection *mongo.Collection, documents []bson.D) error {
	if len(documents) == 0 { // which the driver refuses
		return nil
	}
	_, err := collection.InsertMany(ctx, documents)
	return err
}

// newDocuments are those of some new users.
type newDocuments struct {
	credentials, configs, characters []bson.D
	names                            []string // of the credentials
}

// documentsOf makes the documents of users, with _ids in their order.
func documentsOf(users []backend.UserData) (made newDocuments, err error) {
	names := map[string]bool{}
	ids := newIDs(2 * len(users))
	for i, user := range users {
		if user.Credential != nil {
			key := backend.UsernameKey(user.Credential.Username)
			if names[key] {
				return made, backend.UsernameTaken(user.Credential.Username)
			}
			names[key] = true
			made.names = append(made.names, user.Credential.Username)
			made.credentials = append(made.credentials, withID(ids[2*i], credentialDocument(*user.Credential)))
		}
		if user.Config == nil {
			continue
		}
		if err := distinct(user.Characters); err != nil {
			return made, err
		}
		made.configs = append(made.configs, withID(ids[2*i+1], configDocument(*user.Config)))
		for j, id := range newIDs(len(user.Characters)) {
			made.characters = append(made.characters, characterDocument(id, user.Characters[j]))
		}
	}
	return made, nil
}

// withID is a document under an _id of our own making.
func withID(id any, document bson.D) bson.D {
	return append(bson.D{{Key: fieldID, Value: id}}, document...)
}

// namesFree is Exists if a user name, in any form that the index cannot
// compare, belongs to somebody else than its user here.
func (s *Store) namesFree(ctx context.Context, users []backend.UserData) error {
	owners := map[string]backend.Credential{} // by form
	var forms []string
	for _, user := range users {
		if user.Credential == nil {
			continue
		}
		for _, form := range usernameForms(user.Credential.Username) {
			owners[form] = *user.Credential
			forms = append(forms, form)
		}
	}
	if len(forms) == 0 {
		return nil
	}
	cursor, err := s.credentials.Find(ctx, bson.D{{Key: fieldUsername, Value: bson.D{{Key: "$in", Value: forms}}}})
	if err != nil {
		return storeError(err)
	}
	var documents []bson.Raw
	if err := cursor.All(ctx, &documents); err != nil {
		return storeError(err)
	}
	for _, document := range documents {
		form, _ := document.Lookup(fieldUsername).StringValueOK()
		if credentialFrom(document).UserID != owners[form].UserID {
			return backend.UsernameTaken(owners[form].Username)
		}
	}
	return nil
}

// putOne stores a user in place of what is stored of it. Where that changes the
// characters, the config goes first, so that the user is out of sight
// meanwhile, and comes back last, under its _id. If this breaks off, the lock
// still keeps the config as it was, with the provider keys that an import
// without secrets does not bring along.
func (s *Store) putOne(ctx context.Context, data backend.UserData) error {
	if err := distinct(data.Characters); err != nil {
		return err
	}
	userID := data.UserID()
	return s.alone(ctx, userID, func(held heldLock) error {
		if err := s.namesFree(ctx, []backend.UserData{data}); err != nil {
			return err
		}
		found, err := s.readStored(ctx, []string{userID}, math.MaxInt, refuseBad)
		if err != nil {
			return storeError(err)
		}
		return storeError(s.replace(ctx, held, found[userID], data))
	})
}

// replace stores data in place of old, of the same user.
func (s *Store) replace(ctx context.Context, held heldLock, old stored, data backend.UserData) error {
	credentialID, configID := placesOf(old, data)
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

// removeCharacters removes these, and none that came since they were read.
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

// hide removes a config that comes back under the same _id. It is marked first,
// and removed by its mark: so a removal that is held up on its way, and carried
// out when the new config is there, finds nothing.
func (s *Store) hide(ctx context.Context, config bson.Raw) error {
	byID := bson.D{{Key: fieldID, Value: config.Lookup(fieldID)}}
	mark := bson.E{Key: fieldReplacing, Value: bson.NewObjectID()}
	if _, err := s.configs.UpdateOne(ctx, byID, bson.D{{Key: "$set", Value: bson.D{mark}}}); err != nil {
		return err
	}
	_, err := s.configs.DeleteOne(ctx, append(byID, mark))
	return err
}

// placesOf gives the _ids of credential and config of data: those of old, and
// where a document goes that made the user's place in the creation order, the
// other one takes over its _id.
func placesOf(old stored, data backend.UserData) (credential, config bson.RawValue) {
	fresh := newIDs(2)
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

// replaceCredential stores data's credential, if any, under id in place of the old one.
// Tokens are worth nothing from then on unless the password is the same; they
// are removed lest it comes back one day.
func (s *Store) replaceCredential(ctx context.Context, old stored, data backend.UserData, id bson.RawValue) error {
	credential := data.Credential
	var before backend.Credential
	inPlace := false
	if old.credential != nil {
		before = credentialFrom(old.credential)
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
	return s.removeDeadTokens(ctx, data.UserID(), credential)
}

// removeDeadTokens removes the tokens of a user that were given for another
// password than that of credential, also those that a put which broke off left
// behind.
func (s *Store) removeDeadTokens(ctx context.Context, userID string, credential *backend.Credential) error {
	dead := byUser(userID)
	if credential != nil {
		tag := passwordTag(userID, credential.Password.Reveal())
		dead = append(dead, bson.E{Key: tokenPasswordTags, Value: bson.D{{Key: "$ne", Value: tag}}})
	}
	_, err := deleteFound(ctx, s.tokens, dead)
	return err
}

// updateCredential changes the document under id, which has the name before. A
// new name is not claimed: that could be refused, where a put must not be.
func (s *Store) updateCredential(ctx context.Context, id bson.RawValue, before string, credential backend.Credential) error {
	change, gone := bson.D{{Key: "$set", Value: credentialDocument(credential)}}, bson.D{}
	if backend.UsernameKey(credential.Username) == credential.Username {
		gone = append(gone, bson.E{Key: fieldUsernameGiven, Value: ""})
	}
	if backend.NameKey(credential.Username) != backend.NameKey(before) {
		gone = append(gone, bson.E{Key: fieldNameClaim, Value: ""})
	}
	if len(gone) > 0 {
		change = append(change, bson.E{Key: "$unset", Value: gone})
	}
	_, err := s.credentials.UpdateOne(ctx, bson.D{{Key: fieldID, Value: id}}, change)
	return nameError(err, credential.Username)
}

// nameError gives Exists where a unique index refused a user name.
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

// withUnknown adds the fields of old that this server does not know, as they
// survive every change.
func withUnknown(document bson.D, old bson.Raw) bson.D {
	own := []string{fieldUsernameGiven, fieldNameClaim, fieldReplacing}
	elements, _ := old.Elements() // of nil there are none
	for _, element := range elements {
		key := element.Key()
		known := slices.ContainsFunc(document, func(e bson.E) bool { return e.Key == key })
		if !known && !slices.Contains(own, key) {
			document = append(document, bson.E{Key: key, Value: element.Value()})
		}
	}
	return document
}
