package mongo

import (
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"

	"web-backend/internal/backend"
)

// Field names that queries use (contract §6), and some others.
const (
	fieldID            = "_id"
	fieldUserID        = "user_id"
	fieldCharacterID   = "character_id"
	fieldName          = "character_name"
	fieldReadOnly      = "read_only"
	fieldAvatar        = "avatar"
	fieldSceneName     = "scene_name"
	fieldUsername      = "username"
	fieldUsernameGiven = "username_given" // set if it differs from the username
	fieldNameKey       = "name_key"       // backend.NameKey of the username
	fieldNameClaim     = "name_claim"     // the same value; only CreateCredential stores it
	fieldPassword      = "password"
	fieldDisabled      = "disabled" // true on a disabled account, otherwise absent
	fieldTimezone      = "timezone"

	fieldReplacing = "web_backend_replacing" // on a config while PutUsers removes it
)

// byUser selects the documents that belong to a user.
func byUser(userID string) bson.D { return bson.D{{Key: fieldUserID, Value: userID}} }

// byKey selects one character.
func byKey(key backend.CharacterKey) bson.D {
	return bson.D{{Key: fieldUserID, Value: key.UserID}, {Key: fieldCharacterID, Value: key.CharacterID}}
}

// configDocument returns a user config as it is stored. It holds every provider
// key; a key that is not set is empty, because the orchestrator reads the
// document directly.
func configDocument(config backend.UserConfig) bson.D {
	document := byUser(config.UserID)
	for _, name := range backend.ProviderKeys {
		document = append(document, bson.E{Key: name, Value: config.Keys[name].Reveal()})
	}
	return append(document, bson.E{Key: fieldTimezone, Value: config.Timezone})
}

// configFrom reads a stored user config. A key that is missing or not a string
// is not set. A missing time zone is the default time zone.
func configFrom(userID string, document bson.Raw) backend.UserConfig {
	config := backend.UserConfig{UserID: userID, Timezone: backend.DefaultTimezone, Keys: map[string]backend.Secret{}}
	for _, name := range backend.ProviderKeys {
		if key, ok := document.Lookup(name).StringValueOK(); ok && key != "" {
			config.Keys[name] = backend.NewSecret(key)
		}
	}
	if timezone, ok := document.Lookup(fieldTimezone).StringValueOK(); ok {
		config.Timezone = timezone
	}
	return config
}

// characterChanges returns the stored fields that a patch sets. CharacterPatch
// and Character use the same field names, and the JSON name of a field is its
// stored name.
func characterChanges(patch backend.CharacterPatch) bson.D {
	changes := bson.D{}
	values := reflect.ValueOf(patch)
	for i := range values.NumField() {
		if values.Field(i).IsNil() {
			continue
		}
		field, _ := reflect.TypeFor[backend.Character]().FieldByName(values.Type().Field(i).Name)
		changes = append(changes, bson.E{Key: field.Tag.Get("json"), Value: values.Field(i).Elem().Interface()})
	}
	return changes
}

// characterFields returns the fields of a character in their stored order. Each
// keeps its own type.
func characterFields(character backend.Character) bson.D {
	values := reflect.ValueOf(character)
	fields := make(bson.D, values.NumField())
	for i := range fields {
		fields[i] = bson.E{Key: values.Type().Field(i).Tag.Get("json"), Value: values.Field(i).Interface()}
	}
	return fields
}
