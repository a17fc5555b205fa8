package console

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"web-backend/internal/backend"
)

// maxUpload is the maximum size of the form with the file of a character, in
// bytes.
const maxUpload = 1 << 20

// uploadCharacter gives the user a new character from a file that
// downloadCharacter has sent.
func (v *visit) uploadCharacter() error {
	sent := v.r.Body
	_, err := v.formUpTo(maxUpload)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		_, _ = io.CopyN(io.Discard, sent, 16*maxUpload) // otherwise a browser that is still sending sees no page
		return v.uploadRefused(v.texts["upload_large"])
	}
	if err != nil {
		return err
	}
	document, err := v.uploadedFile("character")
	if err != nil {
		return v.uploadRefused(v.texts["upload_none"])
	}
	character, err := backend.ParseCharacter(document)
	if err != nil {
		return v.uploadRefused(v.uploadProblem(err))
	}
	added, err := v.service.AddCharacter(v.r.Context(), v.userID(), character)
	switch backend.KindOf(err) {
	case backend.TooLong, backend.Full:
		return v.uploadRefused(v.uploadProblem(err))
	case backend.Unavailable:
		return v.userPageAway(err, userPage{})
	}
	if err != nil {
		return userError(err)
	}
	return v.redirectDone(characterPath(added.Key()), "done_character_uploaded")
}

// uploadedFile returns the content of a file in the form.
func (v *visit) uploadedFile(field string) ([]byte, error) {
	file, _, err := v.r.FormFile(field)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	return io.ReadAll(file)
}

func (v *visit) uploadRefused(problem string) error {
	return v.userPage(http.StatusUnprocessableEntity, userPage{UploadProblem: problem})
}

// wantedKinds are the messages for the types of fields.
var wantedKinds = map[reflect.Kind]string{
	reflect.String: "kind_text", reflect.Bool: "kind_bool", reflect.Float64: "kind_number", reflect.Int32: "kind_whole_number",
}

// uploadProblem returns the sentences for an error of a character in a file.
func (v *visit) uploadProblem(err error) string {
	if faults, ok := errors.AsType[backend.CharacterFaults](err); ok {
		var sentences []string
		for _, fault := range faults {
			sentences = append(sentences, v.faultSentence(fault))
		}
		return strings.Join(sentences, " ")
	}
	refused, _ := errors.AsType[*backend.Error](err)
	message := "upload_long"
	switch {
	case refused.Kind == backend.Full:
		message = "characters_full"
	case refused.Field == "prompt":
		message = "upload_long_bytes"
	}
	return strings.NewReplacer("{field}", refused.Field, "{limit}", strconv.Itoa(refused.Limit)).Replace(v.texts[message])
}

func (v *visit) faultSentence(fault backend.CharacterFault) string {
	message := map[backend.CharacterFaultKind]string{
		backend.NoCharacterJSON: "upload_no_json", backend.FieldMissing: "upload_missing", backend.FieldUnknown: "upload_unknown",
		backend.FieldOfWrongType: "upload_type", backend.FieldNotText: "upload_text",
	}[fault.Kind]
	return strings.NewReplacer("{field}", fault.Field, "{want}", v.texts[wantedKinds[fault.Want]]).Replace(v.texts[message])
}
