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

// Provider is a service that characters can use in one role after the user has
// set all its keys.
type Provider struct {
	Role     ProviderRole
	Name     string
	Keys     []string // a subset of ProviderKeys
	Adapters Adapters
}

// Adapters maps a field of a character to the known adapter names for it. The
// names are those in the orchestrator's own configurations. An orchestrator
// with other names also works.
type Adapters map[string][]string

// providers is the complete list (contract §5). A new provider is one new line
// here, and a new key is one new line in ProviderKeys.
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

// chat returns the adapters of a language model that can do everything, with
// its additional adapters for conversations.
func chat(name string, conversation ...string) Adapters {
	return Adapters{
		"classification_adapter": {name + "_classification"},
		"conversation_adapter":   append([]string{name + "_agent"}, conversation...),
		"reaction_adapter":       {name + "_reaction"},
		"memory_adapter":         {name + "_memory"},
	}
}

// Known scenes and avatars (contract §4). A client compares them exactly. The
// web client offers the avatars except the last two; motions exist for those,
// too.
var (
	scenes  = []string{"Vast", "Seabed", "Ground View", "Cobbled Street", "Cyber Black", "Green"}
	avatars = []string{"KQ-default", "FNN-default", "HT-default", "Ani-default", "KL-default", "NXD-default"}
)

// Providers returns the providers of role. The caller must not change the
// slice.
func Providers(role ProviderRole) []Provider {
	var all []Provider
	for _, p := range providers {
		if p.Role == role {
			all = append(all, p)
		}
	}
	return all
}

// KnownNames returns the known adapters, scenes or avatars for a field of a
// character, or nil if the field takes any text. The caller must not change the
// slice.
func KnownNames(field string) []string {
	switch field {
	case "scene_name":
		return scenes
	case "avatar":
		return avatars
	}
	return adapters[field]
}

// adapters maps a field to the adapters of all providers. It is made once,
// because an import asks for it for each character.
var adapters = func() Adapters {
	all := Adapters{}
	for _, p := range providers {
		for field, names := range p.Adapters {
			all[field] = append(all[field], names...)
		}
	}
	return all
}()

// UnknownName is the value of a character's field that is not in [KnownNames].
// Such a value is allowed, because other programs may know it.
type UnknownName struct {
	Field string
	// Value can be any text, even a secret that was put in the wrong field,
	// unless Nearest has names that it resembles.
	Value string
	// Nearest are the known names that may have been meant. They begin with
	// Value, or differ from it only in case or in at most two letters.
	Nearest []string
}

// UnknownNames returns the unknown names that p sets. An empty text is not a
// name.
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

// UnknownNames returns the unknown names in c.
func (c Character) UnknownNames() []UnknownName {
	return CharacterPatch{
		Avatar: &c.Avatar, SceneName: &c.SceneName, ASRAdapter: &c.ASRAdapter, TTSAdapter: &c.TTSAdapter,
		ClassificationAdapter: &c.ClassificationAdapter, ConversationAdapter: &c.ConversationAdapter,
		ReactionAdapter: &c.ReactionAdapter, MemoryAdapter: &c.MemoryAdapter,
	}.UnknownNames()
}

// UnknownNameCount counts an unknown name in the characters of an import.
type UnknownNameCount struct {
	// UnknownName has an empty Value if the value in the characters resembles no
	// known name, or if too many values were found. All such values of a field
	// are counted together.
	UnknownName
	Count int64
}

// mostUnknownNames is the maximum number of values that are counted separately.
const mostUnknownNames = 20

// countUnknownNames adds the unknown names in characters to counts, which it may
// change.
func countUnknownNames(counts []UnknownNameCount, characters []Character) []UnknownNameCount {
	for _, c := range characters {
		for _, name := range c.UnknownNames() {
			if len(name.Nearest) == 0 {
				name.Value = "" // it may be a secret in the wrong field
			}
			at := indexOfName(counts, name)
			if at < 0 && len(counts) >= mostUnknownNames {
				name = UnknownName{Field: name.Field}
				at = indexOfName(counts, name)
			}
			if at < 0 {
				at, counts = len(counts), append(counts, UnknownNameCount{UnknownName: name})
			}
			counts[at].Count++
		}
	}
	return counts
}

func indexOfName(counts []UnknownNameCount, name UnknownName) int {
	return slices.IndexFunc(counts, func(c UnknownNameCount) bool { return c.Field == name.Field && c.Value == name.Value })
}

func nearestNames(value string, known []string) []string {
	for _, name := range known {
		if strings.EqualFold(name, value) {
			return []string{name}
		}
	}
	const most, long = 2, 64 // letters, and bytes: comparing a longer text takes time, and it resembles no known name
	if len(value) > long {
		return nil
	}
	return spelling.Nearest(value, known, most)
}

// ProviderKeys are the names of all provider keys, in the order of the stored
// document (contract §5).
var ProviderKeys = []string{
	"openai_api_key", "xai_api_key", "anthropic_api_key", "gemini_api_key", "deepseek_api_key",
	"minimax_api_key", "sensenova_api_key", "sensenova_ak", "sensenova_sk", "sensechat_ak", "sensechat_sk",
	"softsugar_app_id", "softsugar_app_key", "huoshan_app_id", "huoshan_token",
	"sense_tts_api_key", "nova_tts_api_key", "elevenlabs_api_key",
}

// availableProviders returns, sorted, the providers of role for which all keys
// are set.
func availableProviders(role ProviderRole, keys map[string]Secret) []string {
	names := []string{}
	for _, p := range providers {
		if p.Role == role && !slices.ContainsFunc(p.Keys, func(key string) bool { return !keys[key].IsSet() }) {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// missing returns the keys of p that are not set.
func (p Provider) missing(keys map[string]Secret) []string {
	var names []string
	for _, name := range p.Keys {
		if !keys[name].IsSet() {
			names = append(names, name)
		}
	}
	return names
}

// MissingSecrets lists, for each role, the provider keys that a character needs
// but its user has not set. The lists are sorted and never nil.
type MissingSecrets struct{ LLM, TTS, ASR []string }

// missingSecrets compares the adapters of c with the keys that are set. The
// provider of an adapter is the text before the first underscore. An unknown
// provider needs no keys.
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
