package backend

import (
	"slices"
	"strings"
)

// ProviderRole is what a provider does for a character.
type ProviderRole string

// The roles.
const (
	LLM ProviderRole = "llm" // language model
	ASR ProviderRole = "asr" // speech recognition
	TTS ProviderRole = "tts" // speech synthesis
)

// provider is one service that characters can use in one role, once the user
// has set all its keys.
type provider struct {
	role ProviderRole
	name string
	keys []string
}

// providers is the whole list (contract §5); a new provider is one line here,
// and a new key one line in ProviderKeys.
var providers = []provider{
	{LLM, "openai", []string{"openai_api_key"}},
	{LLM, "xai", []string{"xai_api_key"}},
	{LLM, "anthropic", []string{"anthropic_api_key"}},
	{LLM, "gemini", []string{"gemini_api_key"}},
	{LLM, "deepseek", []string{"deepseek_api_key"}},
	{LLM, "sensenova", []string{"sensenova_api_key"}},
	{LLM, "minimax", []string{"minimax_api_key"}},
	{LLM, "sensechat", []string{"sensechat_ak", "sensechat_sk"}},

	{ASR, "openai", []string{"openai_api_key"}},
	{ASR, "zoetrope", nil},
	{ASR, "softsugar", []string{"softsugar_app_id", "softsugar_app_key"}},
	{ASR, "huoshan", []string{"huoshan_app_id", "huoshan_token"}},

	{TTS, "chatterbox", nil},
	{TTS, "zoetrope", nil},
	{TTS, "huoshan", []string{"huoshan_app_id", "huoshan_token"}},
	{TTS, "huoshan_icl", []string{"huoshan_app_id", "huoshan_token"}},
	{TTS, "softsugar", []string{"softsugar_app_id", "softsugar_app_key"}},
	{TTS, "sensenova", []string{"nova_tts_api_key"}},
	{TTS, "elevenlabs", []string{"elevenlabs_api_key"}},
}

// ProviderKeys names every provider key, in the order of the stored document
// (contract §5).
var ProviderKeys = []string{
	"openai_api_key", "xai_api_key", "anthropic_api_key", "gemini_api_key", "deepseek_api_key",
	"minimax_api_key", "sensenova_api_key", "sensenova_ak", "sensenova_sk", "sensechat_ak", "sensechat_sk",
	"softsugar_app_id", "softsugar_app_key", "huoshan_app_id", "huoshan_token",
	"sense_tts_api_key", "nova_tts_api_key", "elevenlabs_api_key",
}

// availableProviders lists the providers of role whose keys are all set,
// sorted.
func availableProviders(role ProviderRole, keys map[string]Secret) []string {
	names := []string{}
	for _, p := range providers {
		if p.role == role && len(p.missing(keys)) == 0 {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}

// missing lists the keys of p that are not set.
func (p provider) missing(keys map[string]Secret) []string {
	var names []string
	for _, name := range p.keys {
		if !keys[name].IsSet() {
			names = append(names, name)
		}
	}
	return names
}

// MissingSecrets lists, for each role, the provider keys that a character
// needs and its user has not set. The lists are sorted and never nil.
type MissingSecrets struct{ LLM, TTS, ASR []string }

// missingSecrets compares the adapters of c with the keys that are set. An
// adapter's provider is the text before its first underscore; an unknown
// provider asks for nothing.
func missingSecrets(c Character, keys map[string]Secret) MissingSecrets {
	missing := func(role ProviderRole, adapters ...string) []string {
		names := []string{}
		for _, adapter := range adapters {
			providerName, _, _ := strings.Cut(adapter, "_")
			for _, p := range providers {
				if p.role == role && p.name == providerName {
					names = append(names, p.missing(keys)...)
				}
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	return MissingSecrets{
		LLM: missing(LLM, c.ConversationAdapter, c.ReactionAdapter, c.MemoryAdapter, c.ClassificationAdapter),
		TTS: missing(TTS, c.TTSAdapter),
		ASR: missing(ASR, c.ASRAdapter),
	}
}
