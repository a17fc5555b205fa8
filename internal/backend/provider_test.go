package backend

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// contractProviders are the providers of contract §5 by role, with the keys
// that they need.
var contractProviders = map[ProviderRole]map[string][]string{
	LLM: {
		"openai": {"openai_api_key"}, "xai": {"xai_api_key"}, "anthropic": {"anthropic_api_key"},
		"gemini": {"gemini_api_key"}, "deepseek": {"deepseek_api_key"}, "sensenova": {"sensenova_api_key"},
		"minimax": {"minimax_api_key"}, "sensechat": {"sensechat_ak", "sensechat_sk"},
	},
	ASR: {
		"openai": {"openai_api_key"}, "zoetrope": {}, "softsugar": {"softsugar_app_id", "softsugar_app_key"},
		"huoshan": {"huoshan_app_id", "huoshan_token"},
	},
	TTS: {
		"chatterbox": {}, "zoetrope": {}, "huoshan": {"huoshan_app_id", "huoshan_token"},
		"huoshan_icl": {"huoshan_app_id", "huoshan_token"}, "softsugar": {"softsugar_app_id", "softsugar_app_key"},
		"sensenova": {"nova_tts_api_key"}, "elevenlabs": {"elevenlabs_api_key"},
	},
}

func TestProviders_AreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	all := make(map[string]Secret)
	for _, name := range ProviderKeys {
		all[name] = NewSecret("set")
	}
	for role, want := range contractProviders {
		if got, want := availableProviders(role, all), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
			t.Errorf("%s providers with every key: got %q, want %q", role, got, want)
		}
		free := []string{}
		for name, keys := range want {
			if len(keys) == 0 {
				free = append(free, name)
			}
		}
		slices.Sort(free)
		for state, keys := range map[string]map[string]Secret{"no keys": nil, "empty keys": emptied(ProviderKeys)} {
			if got := availableProviders(role, keys); got == nil || !slices.Equal(got, free) {
				t.Errorf("%s providers with %s: got %#v, want %#v", role, state, got, free)
			}
		}
	}
	if got := availableProviders("motion", all); got == nil || len(got) != 0 {
		t.Errorf("providers of an unknown role: got %#v, want an empty list", got)
	}
}

// emptied returns keys that are present but empty.
func emptied(names []string) map[string]Secret {
	keys := make(map[string]Secret)
	for _, name := range names {
		keys[name] = NewSecret("")
	}
	return keys
}

// TestProviders_EachNeedsAllItsKeys removes, and then empties, each key of each
// provider in turn.
func TestProviders_EachNeedsAllItsKeys(t *testing.T) {
	t.Parallel()
	for role, providers := range contractProviders {
		for name, needed := range providers {
			keys := make(map[string]Secret)
			for _, key := range needed {
				keys[key] = NewSecret("set")
			}
			wantProvider(t, role, name, keys, nil)
			for _, key := range needed {
				without := maps.Clone(keys)
				delete(without, key)
				wantProvider(t, role, name, without, []string{key})
				without[key] = NewSecret("")
				wantProvider(t, role, name, without, []string{key})
			}
			wantProvider(t, role, name, nil, needed)
		}
	}
}

// wantProvider checks which keys are missing for a provider, in both lists that
// contain them.
func wantProvider(t *testing.T, role ProviderRole, name string, keys map[string]Secret, missing []string) {
	t.Helper()
	if got, want := slices.Contains(availableProviders(role, keys), name), len(missing) == 0; got != want {
		t.Errorf("%s provider %s with keys %v: available %v, want %v", role, name, keys, got, want)
	}
	var c Character
	var got []string
	switch adapter := name + "_adapter"; role {
	case LLM:
		c.ConversationAdapter = adapter
		got = missingSecrets(c, keys).LLM
	case ASR:
		c.ASRAdapter = adapter
		got = missingSecrets(c, keys).ASR
	case TTS:
		c.TTSAdapter = adapter
		got = missingSecrets(c, keys).TTS
	}
	if got == nil || !slices.Equal(got, slices.Sorted(slices.Values(missing))) {
		t.Errorf("%s provider %s with keys %v: missing %#v, want %q", role, name, keys, got, missing)
	}
}

func TestMissingSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		character     Character
		llm, tts, asr string // comma separated
	}{
		{"no adapters", Character{}, "", "", ""},
		{"all of the LLM adapters count, once each, sorted", Character{
			ConversationAdapter: "xai_agent", ReactionAdapter: "openai_reaction", MemoryAdapter: "sensechat_memory",
			ClassificationAdapter: "openai_classification",
		}, "openai_api_key,sensechat_ak,sensechat_sk,xai_api_key", "", ""},
		{"reaction alone", Character{ReactionAdapter: "gemini_reaction"}, "gemini_api_key", "", ""},
		{"memory alone", Character{MemoryAdapter: "minimax_memory"}, "minimax_api_key", "", ""},
		{"classification alone", Character{ClassificationAdapter: "deepseek_classification"}, "deepseek_api_key", "", ""},
		{"speech", Character{TTSAdapter: "elevenlabs", ASRAdapter: "openai_realtime"}, "", "elevenlabs_api_key", "openai_api_key"},
		{"a provider of another role", Character{TTSAdapter: "openai", ASRAdapter: "elevenlabs", ConversationAdapter: "huoshan_x"},
			"", "", ""},
		{"the same provider, other keys by role", Character{TTSAdapter: "sensenova_tts", MemoryAdapter: "sensenova_memory"},
			"sensenova_api_key", "nova_tts_api_key", ""},
		{"text before the first underscore", Character{TTSAdapter: "huoshan_icl", ASRAdapter: "softsugar_a_b"},
			"", "huoshan_app_id,huoshan_token", "softsugar_app_id,softsugar_app_key"},
		{"needs nothing", Character{TTSAdapter: "chatterbox", ASRAdapter: "zoetrope_asr"}, "", "", ""},
		{"unknown", Character{TTSAdapter: "acme_tts", ASRAdapter: "_openai", ConversationAdapter: "openai-agent", MemoryAdapter: "OpenAI"},
			"", "", ""},
	} {
		got := missingSecrets(c.character, nil)
		for _, list := range []struct {
			role string
			got  []string
			want string
		}{{"LLM", got.LLM, c.llm}, {"TTS", got.TTS, c.tts}, {"ASR", got.ASR, c.asr}} {
			if list.got == nil || strings.Join(list.got, ",") != list.want {
				t.Errorf("%s: %s keys: got %#v, want %q", c.name, list.role, list.got, list.want)
			}
		}
	}
}

// TestProviders_NeedKnownKeys checks that the two tables of provider.go match.
func TestProviders_NeedKnownKeys(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, key := range p.Keys {
			if !slices.Contains(ProviderKeys, key) {
				t.Errorf("%s provider %s needs key %q, which is not in ProviderKeys", p.Role, p.Name, key)
			}
		}
	}
}

// adapterFields are the fields of a character that name an adapter, by role.
var adapterFields = map[ProviderRole][]string{
	LLM: {"classification_adapter", "conversation_adapter", "reaction_adapter", "memory_adapter"},
	ASR: {"asr_adapter"},
	TTS: {"tts_adapter"},
}

// A character with a known adapter needs the keys of the adapter's provider.
func TestAdapters_NeedTheKeysOfTheirProvider(t *testing.T) {
	t.Parallel()
	for role := range contractProviders {
		for _, p := range Providers(role) {
			if len(p.Adapters) == 0 {
				t.Errorf("%s provider %s has no adapter", role, p.Name)
			}
			for field, adapters := range p.Adapters {
				if !slices.Contains(adapterFields[role], field) {
					t.Errorf("%s provider %s has adapters for %s", role, p.Name, field)
				}
				for _, adapter := range adapters {
					wantKeys(t, role, adapter, p.Keys)
				}
			}
		}
	}
}

// wantKeys checks the missing keys of a character with a single adapter.
func wantKeys(t *testing.T, role ProviderRole, adapter string, keys []string) {
	t.Helper()
	got := missingSecrets(Character{ConversationAdapter: adapter, ASRAdapter: adapter, TTSAdapter: adapter}, nil)
	missing := map[ProviderRole][]string{LLM: got.LLM, ASR: got.ASR, TTS: got.TTS}[role]
	if want := slices.Sorted(slices.Values(keys)); !slices.Equal(missing, want) {
		t.Errorf("%s adapter %s needs %q, want %q", role, adapter, missing, want)
	}
}

// docs/api.md must contain the complete table.
func TestProviders_InTheDocs(t *testing.T) {
	t.Parallel()
	var rows []string
	quote := func(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
	for _, role := range []ProviderRole{LLM, ASR, TTS} {
		for _, p := range Providers(role) {
			var adapters []string
			for _, field := range adapterFields[role] {
				adapters = append(adapters, p.Adapters[field]...)
			}
			keys := "none"
			if len(p.Keys) > 0 {
				keys = quote(p.Keys)
			}
			rows = append(rows, fmt.Sprintf("| %s | `%s` | %s | %s |\n", strings.ToUpper(string(role)), p.Name, keys, quote(adapters)))
		}
	}
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{strings.Join(rows, ""), quote(scenes), quote(avatars)} {
		if !strings.Contains(strings.ReplaceAll(string(text), ",\n", ", "), want) {
			t.Errorf("docs/api.md lacks\n%s", want)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1_000_000)
	for _, c := range []struct {
		name  string
		patch CharacterPatch
		want  string // field=nearest, separated by semicolons
	}{
		{"nothing", CharacterPatch{}, ""},
		{"known", CharacterPatch{
			Avatar: new("NXD-default"), SceneName: new("Ground View"), ASRAdapter: new("openai_realtime"), TTSAdapter: new("huoshan_icl"),
			ClassificationAdapter: new("xai_classification"), ConversationAdapter: new("openai_audio_agent"),
			ReactionAdapter: new("gemini_reaction"), MemoryAdapter: new("minimax_memory"),
		}, ""},
		{"empty", CharacterPatch{TTSAdapter: new(""), SceneName: new("")}, ""},
		{"free texts", CharacterPatch{CharacterName: new("x"), Prompt: new("x"), Voice: new("x"), MemoryModelOverride: new("x")}, ""},
		{"a letter too few", CharacterPatch{TTSAdapter: new("elevnlabs")}, "tts_adapter=elevenlabs"},
		{"another case", CharacterPatch{SceneName: new("GROUND VIEW"), Avatar: new("kq-default")}, "avatar=KQ-default;scene_name=Ground View"},
		{"the begin", CharacterPatch{ConversationAdapter: new("openai")}, "conversation_adapter=openai_agent,openai_audio_agent"},
		{"of another field", CharacterPatch{MemoryAdapter: new("openai_agent"), ASRAdapter: new("chatterbox")}, "asr_adapter=;memory_adapter="},
		{"of no kind", CharacterPatch{ReactionAdapter: new("acme"), ClassificationAdapter: &long}, "classification_adapter=;reaction_adapter="},
	} {
		var got []string
		for _, name := range c.patch.UnknownNames() {
			got = append(got, name.Field+"="+strings.Join(name.Nearest, ","))
		}
		if got := strings.Join(got, ";"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// However many misspelled values there are, only some are counted separately.
func TestCountUnknownNames_Bounded(t *testing.T) {
	t.Parallel()
	var characters []Character
	for i := range 50 {
		characters = append(characters, Character{TTSAdapter: fmt.Sprintf("elevenlabs%02d", i), ASRAdapter: "acme"})
	}
	var all int64
	counts := countUnknownNames(nil, characters)
	for _, c := range counts {
		all += c.Count
	}
	if len(counts) > mostUnknownNames+1 || all != 100 {
		t.Errorf("got %d counts with %d names, want at most %d with 100", len(counts), all, mostUnknownNames+1)
	}
}
