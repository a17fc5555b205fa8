package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"web-backend/internal/backend"
)

// characterPath is a request for one character that is named in the path.
type characterPath struct {
	UserID      string `path:"user_id" description:"Id of the user." example:"example-user"`
	CharacterID string `path:"character_id" description:"Id of the character." example:"9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11"`
}

// ownerID implements [ownedRequest].
func (p *characterPath) ownerID() string { return p.UserID }

func (p characterPath) key() backend.CharacterKey {
	return backend.CharacterKey{UserID: p.UserID, CharacterID: p.CharacterID}
}

// characterBody is a request for one character that is named in the body.
type characterBody struct {
	UserID      string `json:"user_id" required:"true" description:"Id of the user." example:"example-user"`
	CharacterID string `json:"character_id" required:"true" description:"Id of the character." example:"9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11"`
}

// ownerID implements [ownedRequest].
func (b *characterBody) ownerID() string { return b.UserID }

func (b characterBody) key() backend.CharacterKey {
	return backend.CharacterKey{UserID: b.UserID, CharacterID: b.CharacterID}
}

type getCharacterListResponse struct {
	CharacterIDList   []string `json:"character_id_list" required:"true" nullable:"false" description:"Character ids in creation order." example:"[\"9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11\"]"`
	CharacterNameList []string `json:"character_name_list" required:"true" nullable:"false" description:"Character names in the same order." example:"[\"Mira\"]"`
}

func (a *API) listCharacters(ctx context.Context, in *userPath) (characterListResponse, error) {
	names, err := a.service.CharacterNames(ctx, in.UserID)
	return characterListResponse{in.UserID, names}, err
}

// characterListResponse writes a [getCharacterListResponse]. If names stored
// before there were limits are too long to be in memory together, it reads them
// one by one.
type characterListResponse struct {
	userID string
	names  []backend.CharacterName
}

// write closes the connection if an error occurs after the first chunk, so that
// a client does not mistake a part for the complete list.
func (l characterListResponse) write(a *API, w http.ResponseWriter, r *http.Request) error {
	if !slices.ContainsFunc(l.names, func(name backend.CharacterName) bool { return name.TooLong }) {
		list := getCharacterListResponse{make([]string, len(l.names)), make([]string, len(l.names))}
		for i, name := range l.names {
			list.CharacterIDList[i], list.CharacterNameList[i] = name.CharacterID, name.CharacterName
		}
		return writeJSON(w, http.StatusOK, list)
	}
	list := a.newLongJSON(w, r)
	list.text(`{"character_id_list":[`)
	for i, name := range l.names {
		_ = list.element(i, name.CharacterID, nil) // any text can be encoded
	}
	list.text(`],"character_name_list":[`)
	for i, name := range l.names {
		var err error
		if name.TooLong {
			name.CharacterName, err = a.service.LongCharacterName(r.Context(), backend.CharacterKey{UserID: l.userID, CharacterID: name.CharacterID})
		}
		if !list.element(i, name.CharacterName, err) {
			break
		}
	}
	list.text(`]}`)
	return list.end()
}

type listCharacterSummariesResponse struct {
	Characters []characterSummary `json:"characters" required:"true" nullable:"false" description:"The user's characters, in creation order."`
}

// characterSummary has the fields that a page for choosing a character needs.
type characterSummary struct {
	CharacterID   string `json:"character_id" required:"true" description:"Id of the character, unique for its user." example:"9a4b5f6e-6f3c-5a57-9d0b-6d8d0c6b8a11"`
	CharacterName string `json:"character_name" required:"true" description:"Name shown to people." example:"Mira"`
	ReadOnly      bool   `json:"read_only" required:"true" description:"A read-only character can be duplicated or deleted, not changed." example:"true"`
	Avatar        string `json:"avatar" required:"true" description:"Avatar that is shown." example:"KQ-default"`
	SceneName     string `json:"scene_name" required:"true" description:"Scene in which the character is shown." example:"Vast"`
}

func (a *API) listCharacterSummaries(ctx context.Context, in *userPath) (characterSummariesResponse, error) {
	summaries, err := a.service.CharacterSummaries(ctx, in.UserID)
	return characterSummariesResponse{in.UserID, summaries}, err
}

// characterSummariesResponse writes a [listCharacterSummariesResponse] piece by
// piece. If texts are too long to be in memory together, it reads them one by
// one.
type characterSummariesResponse struct {
	userID    string
	summaries []backend.CharacterSummary
}

func (l characterSummariesResponse) write(a *API, w http.ResponseWriter, r *http.Request) error {
	list := a.newLongJSON(w, r)
	list.text(`{"characters":[`)
	n := 0
	for _, summary := range l.summaries {
		var err error
		if summary.TooLong {
			summary, err = a.service.LongCharacterSummary(r.Context(), backend.CharacterKey{UserID: l.userID, CharacterID: summary.CharacterID})
		}
		if errors.Is(err, backend.NotFound) {
			continue // it has been deleted in the meantime
		}
		if !list.element(n, summaryOnTheWire(summary), err) {
			break
		}
		n++
	}
	list.text(`]}`)
	return list.end()
}

func summaryOnTheWire(s backend.CharacterSummary) characterSummary {
	return characterSummary{s.CharacterID, s.CharacterName, s.ReadOnly, s.Avatar, s.SceneName}
}

func (a *API) getCharacterConfig(ctx context.Context, in *characterPath) (characterDocument, error) {
	return a.service.CharacterDocument(ctx, in.key())
}

type duplicateCharacterRequest struct {
	characterBody
	CharacterName *string `json:"character_name" description:"Name of the copy; if it is absent, the name of the character." example:"My Mira"`
}

type duplicateCharacterResponse struct {
	CharacterID string `json:"character_id" required:"true" description:"Id of the copy." example:"5d0c7d4a-3c43-4a62-8a5e-0c1f3b6a9a10"`
}

func (a *API) duplicateCharacter(
	ctx context.Context, in *duplicateCharacterRequest,
) (duplicateCharacterResponse, error) {
	duplicate, err := a.service.DuplicateCharacter(ctx, in.key(), in.CharacterName)
	if err == nil {
		a.warnOfUnknownNames(ctx, duplicate.UnknownNames())
	}
	return duplicateCharacterResponse{duplicate.CharacterID}, err
}

type importCharacterRequest struct {
	Owner string `path:"user_id" description:"Id of the user who gets the character." example:"example-user"`
	backend.Character
}

// ownerID implements [ownedRequest].
func (r *importCharacterRequest) ownerID() string { return r.Owner }

type importCharacterResponse struct {
	CharacterID string `json:"character_id" required:"true" description:"Id of the new character." example:"5d0c7d4a-3c43-4a62-8a5e-0c1f3b6a9a10"`
}

func (a *API) importCharacter(ctx context.Context, in *importCharacterRequest) (importCharacterResponse, error) {
	added, err := a.service.AddCharacter(ctx, in.Owner, in.Character)
	if err == nil {
		a.warnOfUnknownNames(ctx, added.UnknownNames())
	}
	return importCharacterResponse{added.CharacterID}, err
}

type deleteCharacterRequest struct{ characterBody }

func (a *API) deleteCharacter(ctx context.Context, in *deleteCharacterRequest) (empty, error) {
	return empty{}, a.service.DeleteCharacter(ctx, in.key())
}

// characterUpdate is a request that changes some fields of one character.
type characterUpdate interface {
	key() backend.CharacterKey
	patch() backend.CharacterPatch
}

// update returns the table row of one update_character_ route. These routes
// differ only in the fields of In.
func update[In any, P interface {
	*In
	characterUpdate
	ownedRequest
}](a *API, what, summary string) route {
	return route{
		method: http.MethodPost, path: v1 + "update_character_" + what, tag: tagCharacters,
		errors:  []int{http.StatusForbidden, http.StatusNotFound},
		summary: summary, description: "403 if the character is read-only: duplicate it and change the copy.",
		endpoint: owner(a, func(ctx context.Context, in P) (empty, error) {
			err := a.service.UpdateCharacter(ctx, in.key(), in.patch())
			if err == nil {
				a.warnOfUnknownNames(ctx, in.patch().UnknownNames())
			}
			return empty{}, err
		}),
	}
}

type updateName struct {
	characterBody
	CharacterName string `json:"character_name" required:"true" description:"The new name." example:"My Mira"`
}

func (u updateName) patch() backend.CharacterPatch {
	return backend.CharacterPatch{CharacterName: &u.CharacterName}
}

type updateAvatar struct {
	characterBody
	Avatar string `json:"avatar" required:"true" description:"The new avatar." example:"KQ-default"`
}

func (u updateAvatar) patch() backend.CharacterPatch {
	return backend.CharacterPatch{Avatar: &u.Avatar}
}

type updateScene struct {
	characterBody
	SceneName string `json:"scene_name" required:"true" description:"The new scene." example:"Seabed"`
}

func (u updateScene) patch() backend.CharacterPatch {
	return backend.CharacterPatch{SceneName: &u.SceneName}
}

type updatePrompt struct {
	characterBody
	Prompt string `json:"prompt" required:"true" description:"The new prompt." example:"You are Mira, who keeps the lights of a harbour."`
}

func (u updatePrompt) patch() backend.CharacterPatch {
	return backend.CharacterPatch{Prompt: &u.Prompt}
}

type updateASR struct {
	characterBody
	ASRAdapter string `json:"asr_adapter" required:"true" description:"The new speech recognition adapter." example:"openai_realtime"`
}

func (u updateASR) patch() backend.CharacterPatch {
	return backend.CharacterPatch{ASRAdapter: &u.ASRAdapter}
}

type updateTTS struct {
	characterBody
	TTSAdapter string  `json:"tts_adapter" required:"true" description:"The new speech synthesis adapter." example:"elevenlabs"`
	Voice      string  `json:"voice" required:"true" description:"Voice of the adapter." example:""`
	VoiceSpeed float64 `json:"voice_speed" default:"1.0" description:"Speed of speech; a string with a number is accepted too." example:"1.0"`
}

func (u updateTTS) patch() backend.CharacterPatch {
	return backend.CharacterPatch{TTSAdapter: &u.TTSAdapter, Voice: &u.Voice, VoiceSpeed: &u.VoiceSpeed}
}

type updateClassification struct {
	characterBody
	Adapter       string `json:"classification_adapter" required:"true" description:"The new adapter." example:"openai_classification"`
	ModelOverride string `json:"classification_model_override" description:"Model to use instead of the adapter's own; absent or empty for none." example:""`
}

func (u updateClassification) patch() backend.CharacterPatch {
	return backend.CharacterPatch{ClassificationAdapter: &u.Adapter, ClassificationModelOverride: &u.ModelOverride}
}

type updateConversation struct {
	characterBody
	Adapter       string `json:"conversation_adapter" required:"true" description:"The new adapter." example:"openai_agent"`
	ModelOverride string `json:"conversation_model_override" description:"Model to use instead of the adapter's own; absent or empty for none." example:""`
}

func (u updateConversation) patch() backend.CharacterPatch {
	return backend.CharacterPatch{ConversationAdapter: &u.Adapter, ConversationModelOverride: &u.ModelOverride}
}

type updateReaction struct {
	characterBody
	Adapter       string `json:"reaction_adapter" required:"true" description:"The new adapter." example:"openai_reaction"`
	ModelOverride string `json:"reaction_model_override" description:"Model to use instead of the adapter's own; absent or empty for none." example:""`
}

func (u updateReaction) patch() backend.CharacterPatch {
	return backend.CharacterPatch{ReactionAdapter: &u.Adapter, ReactionModelOverride: &u.ModelOverride}
}

type updateMemory struct {
	characterBody
	Adapter       string `json:"memory_adapter" required:"true" description:"The new adapter." example:"openai_memory"`
	ModelOverride string `json:"memory_model_override" description:"Model to use instead of the adapter's own; absent or empty for none." example:""`
}

func (u updateMemory) patch() backend.CharacterPatch {
	return backend.CharacterPatch{MemoryAdapter: &u.Adapter, MemoryModelOverride: &u.ModelOverride}
}
