package backend

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"time"
)

// Character is one AI character of one user. The field order is the order of
// its JSON form, and the tags are the names that clients know (contract §4).
type Character struct {
	UserID        string `json:"user_id" description:"Owner of the character." example:"example-user"`
	CharacterID   string `json:"character_id" description:"Id of the character, unique for its user." example:"9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11"`
	CharacterName string `json:"character_name" description:"Name shown to people." example:"Mira"`
	// CreateDatatime is local time; see [Timestamp].
	CreateDatatime string `json:"create_datatime" description:"Local time of creation, with milliseconds after a comma. Existing clients use this spelling of the name." example:"2025-09-26 14:49:13,123"`
	ReadOnly       bool   `json:"read_only" description:"A read-only character can be duplicated or deleted, not changed."`
	SceneName      string `json:"scene_name" description:"Scene in which the character is shown." example:"Vast"`

	TTSAdapter string  `json:"tts_adapter" description:"Speech synthesis adapter." example:"elevenlabs"`
	Voice      string  `json:"voice" description:"Voice of the speech synthesis adapter."`
	VoiceSpeed float64 `json:"voice_speed" description:"Speed of speech; 1.0 is the voice's own." example:"1.0"`
	Avatar     string  `json:"avatar" description:"Avatar that is shown." example:"KQ-default"`
	ASRAdapter string  `json:"asr_adapter" description:"Speech recognition adapter." example:"openai_realtime"`

	ClassificationAdapter       string `json:"classification_adapter" description:"Adapter that classifies what the user says." example:"openai_classification"`
	ClassificationModelOverride string `json:"classification_model_override" description:"Model to use instead of the adapter's own; empty for none."`
	ConversationAdapter         string `json:"conversation_adapter" description:"Adapter that holds the conversation." example:"openai_agent"`
	ConversationModelOverride   string `json:"conversation_model_override" description:"Model to use instead of the adapter's own; empty for none."`
	Prompt                      string `json:"prompt" description:"Personality of the character, as instructions to the model."`
	ReactionAdapter             string `json:"reaction_adapter" description:"Adapter that chooses reactions and motions." example:"openai_reaction"`
	ReactionModelOverride       string `json:"reaction_model_override" description:"Model to use instead of the adapter's own; empty for none."`
	MemoryAdapter               string `json:"memory_adapter" description:"Adapter that keeps the character's memory." example:"openai_memory"`
	MemoryModelOverride         string `json:"memory_model_override" description:"Model to use instead of the adapter's own; empty for none."`

	AcquaintanceThreshold  int32 `json:"acquaintance_threshold" description:"Affinity from which the user is an acquaintance." example:"5"`
	FriendThreshold        int32 `json:"friend_threshold" description:"Affinity from which the user is a friend." example:"10"`
	SituationshipThreshold int32 `json:"situationship_threshold" description:"Affinity from which the relation is more than friendship." example:"15"`
	LoverThreshold         int32 `json:"lover_threshold" description:"Affinity from which the user is a lover." example:"20"`
	NeutralThreshold       int32 `json:"neutral_threshold" description:"Emotion level of the neutral state." example:"50"`
	HappinessThreshold     int32 `json:"happiness_threshold" description:"Level from which happiness shows." example:"20"`
	SadnessThreshold       int32 `json:"sadness_threshold" description:"Level from which sadness shows." example:"20"`
	FearThreshold          int32 `json:"fear_threshold" description:"Level from which fear shows." example:"20"`
	AngerThreshold         int32 `json:"anger_threshold" description:"Level from which anger shows." example:"20"`
	DisgustThreshold       int32 `json:"disgust_threshold" description:"Level from which disgust shows." example:"20"`
	SurpriseThreshold      int32 `json:"surprise_threshold" description:"Level from which surprise shows." example:"20"`
	ShynessThreshold       int32 `json:"shyness_threshold" description:"Level from which shyness shows." example:"20"`
}

// CharacterField is one field of the JSON form of a character.
type CharacterField struct {
	Name string
	Kind reflect.Kind // of its value: String, Bool, Float64 or Int32
}

// CharacterFields returns the fields of a character, in their order.
func CharacterFields() []CharacterField {
	var fields []CharacterField
	for field := range reflect.TypeFor[Character]().Fields() {
		fields = append(fields, CharacterField{field.Tag.Get("json"), field.Type.Kind()})
	}
	return fields
}

// CharacterKey names one character of one user.
type CharacterKey struct{ UserID, CharacterID string }

// CharacterName is one entry in a list of character names.
type CharacterName struct {
	CharacterID, CharacterName string
	// TooLong is true if the name has more than MaxListedName bytes. The list
	// then omits the name; only the character itself holds it.
	TooLong bool
}

// MaxListedName is the limit, in bytes, for a name that a list holds in memory.
// Only data from before [Limits] can have longer names.
const MaxListedName = 4 << 10

// NewCharacterName returns the list entry of a character.
func NewCharacterName(id, name string) CharacterName {
	if len(name) > MaxListedName {
		return CharacterName{CharacterID: id, TooLong: true}
	}
	return CharacterName{CharacterID: id, CharacterName: name}
}

// CharacterSummary is one entry in a list from which people choose a character.
type CharacterSummary struct {
	CharacterID   string
	CharacterName string
	ReadOnly      bool
	Avatar        string
	SceneName     string
	// TooLong is true if name, avatar and scene together have more than
	// MaxSummary bytes. The summary then omits them; only the character itself
	// holds them.
	TooLong bool
}

// MaxSummary is the limit, in bytes, for the texts of a summary. An import may
// bring 10,000 characters. With this limit, their summaries fit into a MongoDB
// document of 16 MiB, and they take less than that in memory.
const MaxSummary = 1 << 10

// Bounded returns s, but omits its texts if they are too long for a list.
func (s CharacterSummary) Bounded() CharacterSummary {
	if len(s.CharacterName)+len(s.Avatar)+len(s.SceneName) > MaxSummary {
		return CharacterSummary{CharacterID: s.CharacterID, ReadOnly: s.ReadOnly, TooLong: true}
	}
	return s
}

// Summary returns the list entry of c. It does not limit the length.
func (c Character) Summary() CharacterSummary {
	return CharacterSummary{
		CharacterID: c.CharacterID, CharacterName: c.CharacterName, ReadOnly: c.ReadOnly,
		Avatar: c.Avatar, SceneName: c.SceneName,
	}
}

// SummarizeDocument returns the list entry of a character from a document that
// [EncodeCharacter] wrote. It decodes only the fields that it needs, because
// the prompt is most of a document.
func SummarizeDocument(document []byte) (CharacterSummary, error) {
	if end := bytes.Index(document, behindSummary); end >= 0 {
		document = append(document[:end:end], '}') // append must not write into document
	}
	c, err := DecodeCharacter(document)
	return c.Summary().Bounded(), err
}

// behindSummary is the start of the text after the last field of a summary. It
// does not occur earlier in a document, for the same reason as restStart.
var behindSummary = []byte(`,"asr_adapter":`)

// Key returns the key of c.
func (c Character) Key() CharacterKey { return CharacterKey{c.UserID, c.CharacterID} }

// NewCharacter returns a character with the default values of contract §4.
// Decode a stored or configured character into it.
func NewCharacter() Character {
	return Character{
		VoiceSpeed:            1.0,
		AcquaintanceThreshold: 5, FriendThreshold: 10, SituationshipThreshold: 15, LoverThreshold: 20,
		NeutralThreshold: 50, HappinessThreshold: 20, SadnessThreshold: 20, FearThreshold: 20,
		AngerThreshold: 20, DisgustThreshold: 20, SurpriseThreshold: 20, ShynessThreshold: 20,
	}
}

// EncodeCharacter returns the canonical JSON form of c: fields in the order
// of contract §4, no white space, no line end. The API sends this form and the
// embedded store keeps it, so a read needs no encoding.
func EncodeCharacter(c Character) ([]byte, error) {
	var buf bytes.Buffer
	if err := encodeJSON(&buf, c); err != nil {
		return nil, err // the voice speed is not finite
	}
	return buf.Bytes(), nil
}

// DecodeCharacter decodes a document that [EncodeCharacter] wrote. Fields that
// an older document does not have get their default values.
func DecodeCharacter(document []byte) (Character, error) {
	c := NewCharacter()
	err := json.Unmarshal(document, &c)
	return c, err
}

// PatchDocument applies patch to a document and returns the changed document
// and character. If the patch does not change the prompt, the returned
// character may have no prompt: the prompt is most of a document, and decoding
// and encoding it would cost more than everything else. The error is ReadOnly
// if the character must not be changed.
func PatchDocument(document []byte, patch CharacterPatch) (patched []byte, c Character, err error) {
	c, prompt, cut := decodeWithoutPrompt(document)
	if !cut {
		if c, err = DecodeCharacter(document); err != nil {
			return nil, c, err
		}
	}
	if c.ReadOnly {
		return nil, c, CharacterReadOnly(c.Key())
	}
	patch.Apply(&c)
	if patched, err = EncodeCharacter(c); err != nil {
		return nil, c, err
	}
	if cut && patch.Prompt == nil {
		head, tail, _ := bytes.Cut(patched, promptField)
		patched = slices.Concat(head, promptField, prompt, tail)
	}
	return patched, c, nil
}

// decodeWithoutPrompt decodes a document that [EncodeCharacter] wrote, except
// for the prompt, which it returns still encoded. ok is false if
// EncodeCharacter would write the document differently, for example because it
// was changed by hand. In such a document, the part that looks like the prompt
// may be something else.
func decodeWithoutPrompt(document []byte) (c Character, prompt []byte, ok bool) {
	head, rest, begins := bytes.Cut(document, promptField)
	prompt, tail, ends := bytes.Cut(rest, afterPrompt)
	if !begins || !ends || !ValidJSONText(slices.Concat([]byte(`"`), prompt, []byte(`"`))) {
		return c, nil, false
	}
	short := slices.Concat(head, promptField, afterPrompt, tail)
	c, err := DecodeCharacter(short)
	if err != nil {
		return c, nil, false
	}
	again, err := EncodeCharacter(c)
	return c, prompt, err == nil && bytes.Equal(again, short)
}

// promptField and afterPrompt enclose the prompt in a document. They cannot
// occur inside a JSON text, because a backslash precedes each quotation mark
// there.
var (
	promptField = []byte(`,"prompt":"`)
	afterPrompt = []byte(`","reaction_adapter":"`)
)

// CharacterHead holds the fields that a character's document begins with. The
// rest of the document is the same for every user's copy of a default
// character.
type CharacterHead struct {
	UserID         string `json:"user_id"`
	CharacterID    string `json:"character_id"`
	CharacterName  string `json:"character_name"`
	CreateDatatime string `json:"create_datatime"`
}

// restStart is the start of the rest of a document. It does not occur earlier:
// inside a JSON text, a backslash precedes each quotation mark, and a text that
// ends with a comma is not followed directly by a field name.
const restStart = `,"read_only":`

// SplitCharacter splits a document that [EncodeCharacter] wrote into head and
// rest. [JoinCharacter] restores the same bytes from them. ok is false if
// JoinCharacter would return other bytes. rest shares the memory of document.
func SplitCharacter(document []byte) (head CharacterHead, rest []byte, ok bool) {
	start := bytes.Index(document, []byte(restStart))
	if start < 0 {
		return head, nil, false
	}
	opened := document[:start:start] // append must not write into document
	if json.Unmarshal(append(opened, '}'), &head) != nil {
		return head, nil, false
	}
	rest = document[start:]
	joined, err := JoinCharacter(head, rest)
	return head, rest, err == nil && bytes.Equal(joined, document)
}

// JoinCharacter returns the document that [SplitCharacter] split.
func JoinCharacter(head CharacterHead, rest []byte) ([]byte, error) {
	var document bytes.Buffer
	document.Grow(len(rest) + 256) // enough for most heads
	if err := encodeJSON(&document, head); err != nil {
		return nil, err
	}
	document.Truncate(document.Len() - len("}"))
	document.Write(rest)
	return document.Bytes(), nil
}

// RestCache keeps read-only characters by the rest of their documents, as
// [SplitCharacter] returns it. Code that reads many users meets the same
// characters again and again and does not need to decode them each time. The
// zero value is an empty cache. A RestCache is not safe for concurrent use.
type RestCache struct{ characters map[string]Character }

// Find returns the character with this rest. The fields of its head are empty.
func (r *RestCache) Find(rest []byte) (c Character, found bool) {
	c, found = r.characters[string(rest)]
	return c, found
}

// Keep adds c if it is read-only. If the cache is full, Keep first removes all
// characters.
func (r *RestCache) Keep(c Character) {
	if !c.ReadOnly {
		return
	}
	c.UserID, c.CharacterID, c.CharacterName, c.CreateDatatime = "", "", "", ""
	document, err := EncodeCharacter(c)
	_, rest, ok := SplitCharacter(document)
	if err != nil || !ok || len(rest) > keptRest {
		return
	}
	if r.characters == nil || len(r.characters) == keptRests {
		r.characters = make(map[string]Character, keptRests)
	}
	r.characters[string(rest)] = c
}

// Limits of a [RestCache].
const (
	keptRests = 64
	keptRest  = 64 << 10 // bytes of one rest
)

// encodeJSON writes value without white space and without a line end.
func encodeJSON(buf *bytes.Buffer, value any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - len("\n"))
	return nil
}

// CharacterPatch changes some fields of a character. A nil field is not
// changed.
type CharacterPatch struct {
	CharacterName               *string
	Avatar                      *string
	SceneName                   *string
	Prompt                      *string
	ASRAdapter                  *string
	TTSAdapter                  *string
	Voice                       *string
	VoiceSpeed                  *float64
	ClassificationAdapter       *string
	ClassificationModelOverride *string
	ConversationAdapter         *string
	ConversationModelOverride   *string
	ReactionAdapter             *string
	ReactionModelOverride       *string
	MemoryAdapter               *string
	MemoryModelOverride         *string
	ReadOnly                    *bool // not set by any request: only for operators and the tests of stores
}

// Apply applies p to c.
func (p CharacterPatch) Apply(c *Character) {
	set(&c.CharacterName, p.CharacterName)
	set(&c.Avatar, p.Avatar)
	set(&c.SceneName, p.SceneName)
	set(&c.Prompt, p.Prompt)
	set(&c.ASRAdapter, p.ASRAdapter)
	set(&c.TTSAdapter, p.TTSAdapter)
	set(&c.Voice, p.Voice)
	set(&c.VoiceSpeed, p.VoiceSpeed)
	set(&c.ClassificationAdapter, p.ClassificationAdapter)
	set(&c.ClassificationModelOverride, p.ClassificationModelOverride)
	set(&c.ConversationAdapter, p.ConversationAdapter)
	set(&c.ConversationModelOverride, p.ConversationModelOverride)
	set(&c.ReactionAdapter, p.ReactionAdapter)
	set(&c.ReactionModelOverride, p.ReactionModelOverride)
	set(&c.MemoryAdapter, p.MemoryAdapter)
	set(&c.MemoryModelOverride, p.MemoryModelOverride)
	set(&c.ReadOnly, p.ReadOnly)
}

// NewCharacterPatch returns the patch that changes from into to. It omits the
// fields that a patch cannot change.
func NewCharacterPatch(from, to Character) CharacterPatch {
	var patch CharacterPatch
	changes, before, after := reflect.ValueOf(&patch).Elem(), reflect.ValueOf(from), reflect.ValueOf(&to).Elem()
	for i, field := range reflect.VisibleFields(changes.Type()) {
		if value := after.FieldByName(field.Name); !value.Equal(before.FieldByName(field.Name)) {
			changes.Field(i).Set(value.Addr())
		}
	}
	return patch
}

// patchText is a text field of a patch. Its value is nil if the patch does not
// set it.
type patchText struct {
	field string
	value *string
}

// shortTexts returns all texts of p except the prompt.
func (p CharacterPatch) shortTexts() []patchText {
	return []patchText{
		{"character_name", p.CharacterName},
		{"avatar", p.Avatar},
		{"scene_name", p.SceneName},
		{"asr_adapter", p.ASRAdapter},
		{"tts_adapter", p.TTSAdapter},
		{"voice", p.Voice},
		{"classification_adapter", p.ClassificationAdapter},
		{"classification_model_override", p.ClassificationModelOverride},
		{"conversation_adapter", p.ConversationAdapter},
		{"conversation_model_override", p.ConversationModelOverride},
		{"reaction_adapter", p.ReactionAdapter},
		{"reaction_model_override", p.ReactionModelOverride},
		{"memory_adapter", p.MemoryAdapter},
		{"memory_model_override", p.MemoryModelOverride},
	}
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// Timestamp formats a creation time in the form that clients expect (contract
// §4): local time in zone, with milliseconds after a comma.
func Timestamp(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05,000")
}
