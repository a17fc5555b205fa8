package api

import (
	"context"
	"net/http"

	"web-backend/internal/backend"
)

type providerOptions struct {
	Options []string `json:"options" required:"true" nullable:"false" description:"Names of the providers, sorted." example:"[\"anthropic\",\"openai\"]"`
}

// available is the row of one get_available_ route.
func available(a *API, role backend.ProviderRole, summary string) route {
	return route{
		method: http.MethodGet, path: v1 + "get_available_" + string(role) + "/{user_id}", tag: tagProviders,
		errors: []int{http.StatusNotFound}, summary: summary,
		description: "A provider is available when the user has set all its keys.",
		endpoint: owner(a, func(ctx context.Context, in *userPath) (providerOptions, error) {
			names, err := a.service.AvailableProviders(ctx, in.UserID, role)
			return providerOptions{names}, err
		}),
	}
}

type missingSecrets struct {
	LLM []string `json:"llm_requirements" required:"true" nullable:"false" description:"Keys of the conversation, reaction, memory and classification adapters." example:"[\"openai_api_key\"]"`
	TTS []string `json:"tts_requirements" required:"true" nullable:"false" description:"Keys of the speech synthesis adapter." example:"[\"elevenlabs_api_key\"]"`
	ASR []string `json:"asr_requirements" required:"true" nullable:"false" description:"Keys of the speech recognition adapter." example:"[]"`
}

func (a *API) getMissingSecrets(ctx context.Context, in *characterPath) (missingSecrets, error) {
	missing, err := a.service.MissingSecrets(ctx, in.key())
	return missingSecrets(missing), err
}
