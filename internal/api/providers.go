package api

import (
	"context"
	"net/http"

	"web-backend/internal/backend"
)

// providerOptions is what the three types below are: clients know one for each role.
type providerOptions = struct {
	Options []string `json:"options" required:"true" nullable:"false" description:"Names of the providers, sorted."`
}

type (
	getAvailableLLMResponse providerOptions
	getAvailableASRResponse providerOptions
	getAvailableTTSResponse providerOptions
)

// available is the row of one get_available_ route.
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

type getMissingSecretsResponse struct {
	LLM []string `json:"llm_requirements" required:"true" nullable:"false" description:"Keys of the conversation, reaction, memory and classification adapters." example:"[\"openai_api_key\"]"`
	TTS []string `json:"tts_requirements" required:"true" nullable:"false" description:"Keys of the speech synthesis adapter." example:"[\"elevenlabs_api_key\"]"`
	ASR []string `json:"asr_requirements" required:"true" nullable:"false" description:"Keys of the speech recognition adapter." example:"[]"`
}

func (a *API) getMissingSecrets(ctx context.Context, in *characterPath) (getMissingSecretsResponse, error) {
	missing, err := a.service.MissingSecrets(ctx, in.key())
	return getMissingSecretsResponse(missing), err
}
