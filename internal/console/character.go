package console

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"web-backend/internal/backend"
)

// characterGroup is a group of fields. The names of the fields are those in the
// JSON form of a character. Title and names are keys of messages.
type characterGroup struct {
	title  string
	fields []string
	wide   bool // takes the whole width of the page
}

// characterGroups are the fields that a person may change.
var characterGroups = []characterGroup{
	{"group_general", []string{"character_name", "avatar", "scene_name"}, true},
	{"group_prompt", []string{"prompt"}, true},
	{"group_conversation", []string{"conversation_adapter", "conversation_model_override"}, false},
	{"group_classification", []string{"classification_adapter", "classification_model_override"}, false},
	{"group_reaction", []string{"reaction_adapter", "reaction_model_override"}, false},
	{"group_memory", []string{"memory_adapter", "memory_model_override"}, false},
	{"group_asr", []string{"asr_adapter"}, false},
	{"group_tts", []string{"tts_adapter", "voice", "voice_speed"}, false},
}

// characterPage is the content of the page of a character.
type characterPage struct {
	Path     string // of the page, relative to /console/
	UserPath string
	Name     string
	Created  string
	Hash     string // of the stored document that the form is based on
	ReadOnly bool
	Problem  string // why it was not saved, as a sentence
	Unsaved  bool   // the form contains text that is not stored
	Changed  bool   // somebody else has changed the character; saving again replaces that change
	Groups   []shownGroup
	Missing  []string // provider keys
}

// shownGroup is a group of fields as a page shows it.
type shownGroup struct {
	Title  string // key of a message
	Wide   bool
	Fields []shownField
}

// shownField is a field as a page shows it.
type shownField struct {
	Name, Label string
	Value       string // as it was typed
	Count       int    // of characters
	Long        bool   // for the prompt
	Number      bool
	Model       bool
	ReadOnly    bool
	Known       []string // to suggest
	Warning     string
	Problem     string
	Differs     bool // Stored is not Value, and somebody else may have changed it
	Stored      string
	// Changes is how Value differs from what is stored, or nil. The page at the
	// address Compare also shows it.
	Changes *difference
	Compare string
}

// DescribedBy returns the ids of the elements that describe the field.
func (f shownField) DescribedBy() string {
	var ids []string
	for _, x := range []struct {
		shown bool
		id    string
	}{
		{f.Problem != "", "-problem"}, {f.Warning != "", "-warning"}, {f.Differs, "-stored"}, {f.Long, "-count"}, {f.Model, "-hint"},
	} {
		if x.shown {
			ids = append(ids, f.Name+x.id)
		}
	}
	return strings.Join(ids, " ")
}

// characterKey returns the key of the character that the page is about.
func (v *visit) characterKey() backend.CharacterKey {
	return backend.CharacterKey{UserID: v.userID(), CharacterID: v.r.PathValue("character")}
}

// userPath and characterPath return the paths of pages relative to /console/.

func userPath(userID string) string { return "users/" + url.PathEscape(userID) }

func characterPath(key backend.CharacterKey) string {
	return userPath(key.UserID) + "/characters/" + url.PathEscape(key.CharacterID)
}

// characterEdit is a character that a person edits.
type characterEdit struct {
	stored   backend.Character
	hash     string            // of the stored document
	typed    map[string]string // the form, or nil
	problems map[string]string // by field, as sentences
	problem  string            // of the whole form
	changed  bool              // somebody else has changed it
	compared bool              // the person asks for the difference, and saves nothing
	missing  []string          // provider keys; only for the page that a person opens
}

// storedCharacter returns the character that the page is about.
func (v *visit) storedCharacter() (characterEdit, error) {
	document, err := v.service.CharacterDocument(v.r.Context(), v.characterKey())
	if err != nil {
		return characterEdit{}, characterError(err)
	}
	character, err := backend.DecodeCharacter(document)
	sum := sha256.Sum256(document)
	return characterEdit{stored: character, hash: hex.EncodeToString(sum[:])}, err
}

// characterError returns err with a sentence for a character that does not
// exist.
func characterError(err error) error {
	if errors.Is(err, backend.NotFound) {
		return &pageError{http.StatusNotFound, "character_unknown", err}
	}
	return err
}

func (v *visit) showCharacter() error {
	edit, err := v.storedCharacter()
	if err != nil {
		return err
	}
	if edit.missing, err = v.missingKeys(edit.stored.Key()); err != nil {
		return characterError(err)
	}
	return v.showEdit(http.StatusOK, edit)
}

// saveCharacter saves what has changed in the form, if nobody else has changed
// the character in the meantime. The stores cannot compare and write in one
// step, so of two people who save at the same moment, the second may still
// replace the fields that both have changed.
func (v *visit) saveCharacter() error {
	typed, err := v.formUpTo(v.options.MaxFormBytes)
	if err != nil {
		return err
	}
	edit, err := v.storedCharacter()
	edit.typed = typed
	if err != nil {
		return v.saveFailed(edit, err)
	}
	edited := v.edited(&edit)
	switch {
	case edit.stored.ReadOnly:
		return v.saveFailed(edit, backend.CharacterReadOnly(edit.stored.Key()))
	case typed["hash"] != edit.hash:
		edit.changed, edit.problem = true, v.texts["character_changed"]
		return v.showEdit(http.StatusConflict, edit)
	case len(edit.problems) > 0:
		return v.showEdit(http.StatusUnprocessableEntity, edit)
	}
	if err := v.service.UpdateCharacter(v.r.Context(), edit.stored.Key(), backend.NewCharacterPatch(edit.stored, edited)); err != nil {
		return v.saveFailed(edit, err)
	}
	return v.redirectDone(characterPath(edit.stored.Key()), "done_character_saved")
}

// showChanges shows how the prompt that was typed differs from what is stored.
// The response to a script is only the difference. Otherwise it is the whole
// form.
func (v *visit) showChanges() error {
	typed, err := v.formUpTo(v.options.MaxFormBytes)
	if err != nil {
		return err
	}
	edit, err := v.storedCharacter()
	edit.typed, edit.compared = typed, true
	switch {
	case v.byScript() && err == nil:
		v.options.Gate.Quiet(v.r.Context()) // a script requests it while the person types
		return v.write(http.StatusOK, "character", "changes", v.shownField(edit, "prompt").Changes)
	case v.byScript():
		return characterError(err)
	case err != nil:
		return v.saveFailed(edit, err)
	}
	return v.showEdit(http.StatusOK, edit)
}

// saveFailed shows the form again with the reason why the store or the domain
// did not save it.
func (v *visit) saveFailed(edit characterEdit, err error) error {
	refused, _ := errors.AsType[*backend.Error](err)
	switch backend.KindOf(err) {
	case backend.TooLong:
		text := v.texts["field_long"]
		if refused.Field == "prompt" {
			text = v.texts["field_long_bytes"]
		}
		edit.problems = map[string]string{refused.Field: strings.ReplaceAll(text, "{limit}", strconv.Itoa(refused.Limit))}
		return v.showEdit(http.StatusUnprocessableEntity, edit)
	case backend.ReadOnly:
		edit.stored.ReadOnly, edit.problem = true, v.texts["read_only_note"]
		return v.showEdit(http.StatusForbidden, edit)
	case backend.Unavailable:
		v.options.Gate.NoteError(v.r.Context(), err)
		edit.problem = v.texts["store_away"]
		return v.showEdit(http.StatusServiceUnavailable, edit)
	}
	return characterError(err)
}

// edited returns the character as it was typed, and sets the problems of edit.
// A field keeps its stored value if the form does not have the field, or if its
// text is what a browser sends for the unchanged value.
func (v *visit) edited(edit *characterEdit) backend.Character {
	character := edit.stored
	edit.problems = map[string]string{}
	for _, group := range characterGroups {
		for _, name := range group.fields {
			text, sent := edit.typed[name]
			if !sent || asSent(name, text) == asSent(name, characterText(edit.stored, name)) {
				continue
			}
			if problem := setCharacterText(&character, name, text); problem != "" {
				edit.problems[name] = v.texts[problem]
			}
		}
	}
	return character
}

// asSent undoes what a browser changes in the text of a field when it sends the
// form: it sends line ends as CR LF, and removes them from a field of one line.
func asSent(name, text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if name == "prompt" {
		return strings.ReplaceAll(text, "\r", "\n")
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(text)
}

// characterText returns a field of a character as text.
func characterText(c backend.Character, name string) string {
	if name == "voice_speed" {
		return strconv.FormatFloat(c.VoiceSpeed, 'f', -1, 64)
	}
	return *characterTextField(&c, name)
}

// setCharacterText sets a field of a character to what was typed. It returns
// the key of a message if the text is not valid.
func setCharacterText(c *backend.Character, name, text string) (problem string) {
	if !backend.ValidText(text) {
		return "field_text"
	}
	text = asSent(name, text)
	if name != "voice_speed" {
		*characterTextField(c, name) = text
		return ""
	}
	speed, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsInf(speed, 0) || math.IsNaN(speed) {
		return "field_number"
	}
	c.VoiceSpeed = speed
	return ""
}

// characterTextField returns the text field of a character with this name.
func characterTextField(c *backend.Character, name string) *string {
	return map[string]*string{
		"character_name": &c.CharacterName, "avatar": &c.Avatar, "scene_name": &c.SceneName, "prompt": &c.Prompt,
		"asr_adapter": &c.ASRAdapter, "tts_adapter": &c.TTSAdapter, "voice": &c.Voice,
		"conversation_adapter": &c.ConversationAdapter, "conversation_model_override": &c.ConversationModelOverride,
		"classification_adapter": &c.ClassificationAdapter, "classification_model_override": &c.ClassificationModelOverride,
		"reaction_adapter": &c.ReactionAdapter, "reaction_model_override": &c.ReactionModelOverride,
		"memory_adapter": &c.MemoryAdapter, "memory_model_override": &c.MemoryModelOverride,
	}[name]
}

// showEdit shows the page of a character.
func (v *visit) showEdit(status int, edit characterEdit) error {
	key := v.characterKey()
	if len(edit.problems) > 0 {
		edit.problem = cmp.Or(edit.problem, v.texts["character_invalid"])
	}
	shown := characterPage{
		Path: characterPath(key), UserPath: userPath(key.UserID), Name: cmp.Or(edit.stored.CharacterName, edit.typed["character_name"]), Created: createdText(edit.stored.CreateDatatime),
		Hash: cmp.Or(edit.hash, edit.typed["hash"]), ReadOnly: edit.stored.ReadOnly, Problem: edit.problem, Changed: edit.changed,
		Unsaved: edit.problem != "" || edit.compared, Missing: edit.missing,
	}
	if edit.compared { // saving must still notice that somebody else has changed it
		shown.Hash = edit.typed["hash"]
	}
	warnings := v.fieldWarnings(edit)
	for _, group := range characterGroups {
		fields := shownGroup{Title: group.title, Wide: group.wide}
		for _, name := range group.fields {
			field := v.shownField(edit, name)
			field.Warning = warnings[name]
			fields.Fields = append(fields.Fields, field)
		}
		shown.Groups = append(shown.Groups, fields)
	}
	return v.show(status, "character", "character", shown)
}

// createdText returns a creation time as the pages show it, without seconds, or
// as it is stored if it has another form.
func createdText(stored string) string {
	t, err := time.Parse("2006-01-02 15:04:05,000", stored)
	if err != nil {
		return stored
	}
	return t.Format("2006-01-02 15:04")
}

func (v *visit) shownField(edit characterEdit, name string) shownField {
	stored := characterText(edit.stored, name)
	value, typed := edit.typed[name]
	if !typed {
		value = stored
	}
	value = strings.ToValidUTF8(value, "\uFFFD")
	field := shownField{
		Name: name, Label: name, Value: value, Count: utf8.RuneCountInString(asSent(name, value)),
		Long: name == "prompt", Number: name == "voice_speed", Model: strings.HasSuffix(name, "_model_override"), ReadOnly: edit.stored.ReadOnly,
		Known: backend.KnownNames(name), Problem: edit.problems[name],
		Differs: edit.changed && asSent(name, value) != asSent(name, stored), Stored: stored,
	}
	if field.Long {
		field.Compare = v.rootPath() + characterPath(v.characterKey()) + "/changes"
		if edit.compared || field.Differs {
			field.Changes = v.difference(asSent(name, stored), asSent(name, value))
		}
	}
	return field
}

// fieldWarnings returns a sentence for each field with an unknown name, and for
// a speed that no speech synthesis is likely to have.
func (v *visit) fieldWarnings(edit characterEdit) map[string]string {
	character := edit.stored
	for _, group := range characterGroups {
		for _, name := range group.fields {
			if text, typed := edit.typed[name]; typed {
				_ = setCharacterText(&character, name, text) // edited reports its problems
			}
		}
	}
	warnings := map[string]string{}
	if character.VoiceSpeed < 0.1 || character.VoiceSpeed > 10 {
		warnings["voice_speed"] = v.texts["speed_unusual"]
	}
	for _, unknown := range character.UnknownNames() {
		warnings[unknown.Field] = v.texts["name_unknown"]
		if len(unknown.Nearest) > 0 {
			warnings[unknown.Field] = strings.ReplaceAll(v.texts["name_near"], "{names}", strings.Join(unknown.Nearest, v.texts["comma"]))
		}
	}
	return warnings
}
