package api

import (
	"context"
	"net/http"
	"strings"

	"web-backend/internal/backend"
)

// providerOptions is the structure of the three types below. Clients know a
// separate type for each role.
type providerOptions = struct {
	Options []string `json:"options" required:"true" nullable:"false" description:"Names of the providers, sorted."`
}

type (
	getAvailableLLMResponse providerOptions
	getAvailableASRResponse providerOptions
	getAvailableTTSResponse providerOptions
)

// available returns the table row of one get_available_ route.
func available[Out ~providerOptions](a *API, role backend.ProviderRole, summary string) route {
	return route{
		method: http.MethodGet, path: v1 + "get_available_" + string(role) + "/{user_id}", tag: tagProviders,
		errors: []int{http.StatusNotFound}, summary: summary,
		description: "A provider is available when the user has set all its keys.",
		endpoint: owner(a, func(ctx context.Context, in *userPath) (Out, error) {
			names, err := a.service.AvailableProviders(ctx, in.UserID, role)
			return Out{names}, err
		}),
	}
}

// languageModelProvider and speechProvider describe providers in the response
// of list_providers.
type languageModelProvider struct {
	Name           string   `json:"name" required:"true" description:"Name of the provider, as get_available_llm returns it." example:"openai"`
	Keys           []string `json:"keys" required:"true" nullable:"false" description:"Fields of update_user_config that must be set." example:"[\"openai_api_key\"]"`
	Classification []string `json:"classification_adapters" required:"true" nullable:"false" description:"Known values of classification_adapter." example:"[\"openai_classification\"]"`
	Conversation   []string `json:"conversation_adapters" required:"true" nullable:"false" description:"Known values of conversation_adapter." example:"[\"openai_agent\",\"openai_audio_agent\"]"`
	Reaction       []string `json:"reaction_adapters" required:"true" nullable:"false" description:"Known values of reaction_adapter." example:"[\"openai_reaction\"]"`
	Memory         []string `json:"memory_adapters" required:"true" nullable:"false" description:"Known values of memory_adapter." example:"[\"openai_memory\"]"`
}

type speechProvider struct {
	Name     string   `json:"name" required:"true" description:"Name of the provider, as get_available_asr and get_available_tts return it." example:"elevenlabs"`
	Keys     []string `json:"keys" required:"true" nullable:"false" description:"Fields of update_user_config that must be set; none for a provider without keys." example:"[\"elevenlabs_api_key\"]"`
	Adapters []string `json:"adapters" required:"true" nullable:"false" description:"Known values of asr_adapter or tts_adapter." example:"[\"elevenlabs\"]"`
}

type listProvidersResponse struct {
	LLM     []languageModelProvider `json:"llm" required:"true" nullable:"false" description:"Language models." example:"[{\"name\":\"openai\",\"keys\":[\"openai_api_key\"],\"classification_adapters\":[\"openai_classification\"],\"conversation_adapters\":[\"openai_agent\",\"openai_audio_agent\"],\"reaction_adapters\":[\"openai_reaction\"],\"memory_adapters\":[\"openai_memory\"]}]"`
	ASR     []speechProvider        `json:"asr" required:"true" nullable:"false" description:"Speech recognition." example:"[{\"name\":\"openai\",\"keys\":[\"openai_api_key\"],\"adapters\":[\"openai_realtime\"]}]"`
	TTS     []speechProvider        `json:"tts" required:"true" nullable:"false" description:"Speech synthesis." example:"[{\"name\":\"elevenlabs\",\"keys\":[\"elevenlabs_api_key\"],\"adapters\":[\"elevenlabs\"]}]"`
	Scenes  []string                `json:"scenes" required:"true" nullable:"false" description:"Known values of scene_name." example:"[\"Vast\",\"Seabed\"]"`
	Avatars []string                `json:"avatars" required:"true" nullable:"false" description:"Known values of avatar." example:"[\"KQ-default\"]"`
}

// listProviders returns all known values for the names in a character.
func (a *API) listProviders(context.Context, *none) (listProvidersResponse, error) {
	list := listProvidersResponse{
		ASR: speechProviders(backend.ASR, "asr_adapter"), TTS: speechProviders(backend.TTS, "tts_adapter"),
		Scenes: backend.KnownNames("scene_name"), Avatars: backend.KnownNames("avatar"),
	}
	for _, p := range backend.Providers(backend.LLM) {
		list.LLM = append(list.LLM, languageModelProvider{
			Name: p.Name, Keys: orEmpty(p.Keys), Classification: orEmpty(p.Adapters["classification_adapter"]),
			Conversation: orEmpty(p.Adapters["conversation_adapter"]), Reaction: orEmpty(p.Adapters["reaction_adapter"]),
			Memory: orEmpty(p.Adapters["memory_adapter"]),
		})
	}
	return list, nil
}

func speechProviders(role backend.ProviderRole, field string) (list []speechProvider) {
	for _, p := range backend.Providers(role) {
		list = append(list, speechProvider{Name: p.Name, Keys: orEmpty(p.Keys), Adapters: orEmpty(p.Adapters[field])})
	}
	return list
}

// orEmpty returns names, or an empty list for nil, so that the JSON is [] and
// never null.
func orEmpty(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// warnOfUnknownNames logs unknown adapters, scenes and avatars in an update or a
// duplicate. They are accepted because other programs may know them. A value is
// shown only if it resembles a known one, because it may be a key in the wrong
// field.
func (a *API) warnOfUnknownNames(ctx context.Context, names []backend.UnknownName) {
	for _, name := range names {
		attrs := []any{"request_id", requestFrom(ctx).loggedID, "field", name.Field}
		if len(name.Nearest) > 0 {
			const most = 64 // bytes; known names are shorter
			attrs = append(attrs, "value", loggedText(a.hideToken(name.Value), most), "nearest", strings.Join(name.Nearest, ", "))
		}
		a.log.WarnContext(ctx, "an unknown name was set, GET /api/v1/list_providers has the known ones", attrs...)
	}
}

type getMissingSecretsResponse struct {
	LLM []string `json:"llm_requirements" required:"true" nullable:"false" description:"Keys of the conversation, reaction, memory and classification adapters." example:"[\"openai_api_key\"]"`
	TTS []string `json:"tts_requirements" required:"true" nullable:"false" description:"Keys of the speech synthesis adapter." example:"[\"elevenlabs_api_key\"]"`
	ASR []string `json:"asr_requirements" required:"true" nullable:"false" description:"Keys of the speech recognition adapter." example:"[]"`
}

func (a *API) getMissingSecrets(ctx context.Context, in *characterPath) (getMissingSecretsResponse, error) {
	missing, err := a.service.MissingSecrets(ctx, in.key())
	return getMissingSecretsResponse(missing), err
}
