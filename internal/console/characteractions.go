package console

import (
	"cmp"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"web-backend/internal/backend"
)

// duplicateCharacter copies the character and leads to the page of the copy.
// The copy has a name of its own, unless that would be too long.
func (v *visit) duplicateCharacter() error {
	names, err := v.service.CharacterNames(v.r.Context(), v.userID())
	if err != nil {
		return err
	}
	key := v.characterKey()
	name := copyName(key.CharacterID, names)
	duplicate, err := v.service.DuplicateCharacter(v.r.Context(), key, name)
	if errors.Is(err, backend.TooLong) {
		duplicate, err = v.service.DuplicateCharacter(v.r.Context(), key, nil)
	}
	if refused, ok := errors.AsType[*backend.Error](err); ok && refused.Kind == backend.Full {
		return v.duplicateRefused(refused.Limit)
	}
	if err != nil {
		return characterError(err)
	}
	return v.redirectDone(characterPath(duplicate.Key()), "done_character_duplicated")
}

// copyNumber is the number at the end of the name of a copy.
var copyNumber = regexp.MustCompile(` \([0-9]+\)$`)

// copyName returns the name for a copy of the character with this id: its own
// name with the first number that makes it unlike the other names, such as
// "Mira (2)". It returns nil, for the same name, if names omits the name because
// of its length.
func copyName(characterID string, names []backend.CharacterName) *string {
	var own string
	taken := map[string]bool{}
	for _, n := range names {
		taken[n.CharacterName] = true
		if n.CharacterID == characterID {
			if n.TooLong {
				return nil
			}
			own = n.CharacterName
		}
	}
	own = copyNumber.ReplaceAllString(own, "")
	for number := 2; ; number++ {
		if name := fmt.Sprintf("%s (%d)", own, number); !taken[name] {
			return &name
		}
	}
}

// duplicateRefused shows the page of the character again, with the sentence
// that the user already has the maximum number of characters.
func (v *visit) duplicateRefused(most int) error {
	edit, err := v.storedCharacter()
	if err != nil {
		return err
	}
	edit.problem = strings.ReplaceAll(v.texts["characters_full"], "{limit}", strconv.Itoa(most))
	return v.showEdit(http.StatusUnprocessableEntity, edit)
}

// deleteCharacter deletes the character and leads to the page of its user.
func (v *visit) deleteCharacter() error {
	if err := v.service.DeleteCharacter(v.r.Context(), v.characterKey()); err != nil {
		return characterError(err)
	}
	return v.redirectDone(userPath(v.userID()), "done_character_deleted")
}

// downloadCharacter sends the document that get_character_config returns, as a
// file.
func (v *visit) downloadCharacter() error {
	document, err := v.service.CharacterDocument(v.r.Context(), v.characterKey())
	if err != nil {
		return characterError(err)
	}
	character, err := backend.DecodeCharacter(document)
	if err != nil {
		return err
	}
	header := v.w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(document)))
	name := cmp.Or(fileName(character.CharacterName), "character")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name + ".json"}))
	_, _ = v.w.Write(document) //nolint:gosec // it is not HTML; an error means that the client has disconnected
	return nil
}

// fileName returns a name without the characters that are special in file
// names, shortened if it is too long. The result may be empty.
func fileName(name string) string {
	const most = 60 // a letter has up to four bytes, and the name of a file up to 255
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	safe := []rune(strings.Join(words, "-"))
	return string(safe[:min(len(safe), most)])
}

// missingKeys returns the names of the provider keys that a character needs and
// its user has not set.
func (v *visit) missingKeys(key backend.CharacterKey) ([]string, error) {
	missing, err := v.service.MissingSecrets(v.r.Context(), key)
	names := slices.Concat(missing.LLM, missing.ASR, missing.TTS)
	slices.Sort(names)
	return slices.Compact(names), err
}
