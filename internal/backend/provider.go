package backend

import (
	"slices"
	"strings"

	"web-backend/internal/spelling"
)

// ProviderRole is what a provider does for a character.
type ProviderRole string

// The roles.
const (
	LLM ProviderRole = "llm" // language model
	ASR ProviderRole = "asr" // speech recognition
	TTS ProviderRole = "tts" // speech synthesis
)

// Provider is one service that characters can use in one role, once the user
// has set all its keys.
type Provider struct {
	Role     ProviderRole
	Name     string
	Keys     []string // of ProviderKeys
	Adapters Adapters
}

// Adapters are names of adapters, by the field of a character that takes them.
// They are those of the orchestrator's own configurations; one with others
// works as well.
type Adapters map[string][]string

// providers is the whole list (contract §5); a new provider is one line here,
// and a new key one line in ProviderKeys.
var providers = []Provider{
	{LLM, "openai", []string{"openai_api_key"}, chat("openai", "openai_audio_agent")},
	{LLM, "xai", []string{"xai_api_key"}, chat("xai")},
	{LLM, "anthropic", []string{"anthropic_api_key"}, Adapters{"conversation_adapter": {"anthropic_agent"}}},
	{LLM, "gemini", []string{"gemini_api_key"}, chat("gemini")},
	{LLM, "deepseek", []string{"deepseek_api_key"}, chat("deepseek")},
	{LLM, "sensenova", []string{"sensenova_api_key"}, chat("sensenova")},
	{LLM, "minimax", []string{"minimax_api_key"}, chat("minimax")},
	{LLM, "sensechat", []string{"sensechat_ak", "sensechat_sk"}, chat("sensechat")},

	{ASR, "openai", []string{"openai_api_key"}, Adapters{"asr_adapter": {"openai_realtime"}}},
	{ASR, "zoetrope", nil, Adapters{"asr_adapter": {"zoetrope"}}},
	{ASR, "softsugar", []string{"softsugar_app_id", "softsugar_app_key"}, Adapters{"asr_adapter": {"softsugar"}}},
	{ASR, "huoshan", []string{"huoshan_app_id", "huoshan_token"}, Adapters{"asr_adapter": {"huoshan"}}},

	{TTS, "chatterbox", nil, Adapters{"tts_adapter": {"chatterbox"}}},
	{TTS, "zoetrope", nil, Adapters{"tts_adapter": {"zoetrope"}}},
	{TTS, "huoshan", []string{"huoshan_app_id", "huoshan_token"}, Adapters{"tts_adapter": {"huoshan"}}},
	{TTS, "huoshan_icl", []string{"huoshan_app_id", "huoshan_token"}, Adapters{"tts_adapter": {"huoshan_icl"}}},
	{TTS, "softsugar", []string{"softsugar_app_id", "softsugar_app_key"}, Adapters{"tts_adapter": {"softsugar"}}},
	{TTS, "sensenova", []string{"nova_tts_api_key"}, Adapters{"tts_adapter": {"sensenova"}}},
	{TTS, "elevenlabs", []string{"elevenlabs_api_key"}, Adapters{"tts_adapter": {"elevenlabs"}}},
}

// chat gives the adapters of a language model that does everything, and what
// it has beside them for conversations.
func chat(name string, conversation ...string) Adapters {
	return Adapters{
		"classification_adapter": {name + "_classification"},
		"conversation_adapter":   append([]string{name + "_agent"}, conversation...),
		"reaction_adapter":       {name + "_reaction"},
		"memory_adapter":         {name + "_memory"},
	}
}

// Scenes and avatars that are known (contract §4); a client compares them
// exactly. The web client shows the avatars without the last two, of which
// there are motions too.
var (
	scenes  = []string{"Vast", "Seabed", "Ground View", "Cobbled Street", "Cyber Black", "Green"}
	avatars = []string{"KQ-default", "FNN-default", "HT-default", "Ani-default", "KL-default", "NXD-default"}
)

// Providers lists the providers of role. The caller must not change them.
func Providers(role ProviderRole) []Provider {
	var all []Provider
	for _, p := range providers {
		if p.Role == role {
			all = append(all, p)
		}
	}
	return all
}

// KnownNames lists the adapters, scenes or avatars that are known for a field
// of a character; nil if it takes any text. The caller must not change them.
func KnownNames(field string) (names []string) {
	switch field {
	case "scene_name":
		return scenes
	case "avatar":
		return avatars
	}
	for _, p := range providers {
		names = append(names, p.Adapters[field]...)
	}
	return names
}

// UnknownName is the value of a field of a character that is none of
// [KnownNames]. That is allowed, as others may know it.
type UnknownName struct {
	Field string
	// Value may be anything, a secret in the wrong place too, unless Nearest says
	// what it resembles.
	Value string
	// Nearest are the known names that it may have meant: those that differ in
	// upper and lower case or in two letters, or begin with it.
	Nearest []string
}

// UnknownNames lists what p sets to a name that is not known. An empty text
// names nothing.
func (p CharacterPatch) UnknownNames() (unknown []UnknownName) {
	for _, text := range p.shortTexts() {
		if text.value == nil || *text.value == "" {
			continue
		}
		if known := KnownNames(text.field); len(known) > 0 && !slices.Contains(known, *text.value) {
			unknown = append(unknown, UnknownName{text.field, *text.value, nearestNames(*text.value, known)})
		}
	}
	return unknown
}

// UnknownNames lists the names of c that are not known.
func (c Character) UnknownNames() []UnknownName {
	return CharacterPatch{
		Avatar: &c.Avatar, SceneName: &c.SceneName, ASRAdapter: &c.ASRAdapter, TTSAdapter: &c.TTSAdapter,
		ClassificationAdapter: &c.ClassificationAdapter, ConversationAdapter: &c.ConversationAdapter,
		ReactionAdapter: &c.ReactionAdapter, MemoryAdapter: &c.MemoryAdapter,
	}.UnknownNames()
}

func nearestNames(value string, known []string) []string {
	for _, name := range known {
		if strings.EqualFold(name, value) {
			return []string{name}
		}
	}
	const most, long = 2, 64 // letters, and bytes: to compare a longer text takes time, and it is like none
	if len(value) > long {
		return nil
	}
	return spelling.Nearest(value, known, most)
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
		if p.Role == role && len(p.missing(keys)) == 0 {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// missing lists the keys of p that are not set.
func (p Provider) missing(keys map[string]Secret) []string {
	var names []string
	for _, name := range p.Keys {
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
				if p.Role == role && p.Name == providerName {
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
