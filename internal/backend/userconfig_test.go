package backend_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"web-backend/internal/backend"
)

// contractKeys are the provider keys of contract §5, in its order.
var contractKeys = []string{
	"openai_api_key", "xai_api_key", "anthropic_api_key", "gemini_api_key", "deepseek_api_key", "minimax_api_key",
	"sensenova_api_key", "sensenova_ak", "sensenova_sk", "sensechat_ak", "sensechat_sk", "softsugar_app_id",
	"softsugar_app_key", "huoshan_app_id", "huoshan_token", "sense_tts_api_key", "nova_tts_api_key", "elevenlabs_api_key",
}

func TestProviderKeys(t *testing.T) {
	t.Parallel()
	if !slices.Equal(backend.ProviderKeys, contractKeys) {
		t.Errorf("provider keys:\n got %q\nwant %q", backend.ProviderKeys, contractKeys)
	}
}

func TestParseDefaultUserConfig(t *testing.T) {
	t.Parallel()
	all, wantAll := make(map[string]string), make(map[string]string)
	for _, name := range contractKeys {
		all[name], wantAll[name] = "value of "+name, "value of "+name
	}
	all["timezone"] = "Europe/Berlin"
	everything, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file, zone string
		keys             map[string]string
	}{
		{"nothing", `{}`, "Asia/Shanghai", nil},
		{"everything", string(everything), "Europe/Berlin", wantAll},
		{"one key", ` {"xai_api_key": "a\"b"} `, "Asia/Shanghai", map[string]string{"xai_api_key": `a"b`}},
		{"empty key", `{"xai_api_key":""}`, "Asia/Shanghai", nil},
		{"nulls", `{"xai_api_key":null,"timezone":null,"user_id":null}`, "Asia/Shanghai", nil},
		{"user id", `{"user_id":"ada","timezone":"UTC"}`, "UTC", nil},
	} {
		config, err := backend.ParseDefaultUserConfig([]byte(c.file))
		if err != nil || config.Timezone != c.zone || !maps.Equal(reveal(config.Keys), c.keys) || config.UserID != "" {
			t.Errorf("%s: got zone %q, keys %q, user %q, error %v, want zone %q, keys %q", c.name,
				config.Timezone, reveal(config.Keys), config.UserID, err, c.zone, c.keys)
		}
	}
}

// reveal returns the keys that are set, as plain text.
func reveal(keys map[string]backend.Secret) map[string]string {
	texts := make(map[string]string)
	for name, key := range keys {
		if key.IsSet() {
			texts[name] = key.Reveal()
		}
	}
	return texts
}

func TestParseDefaultUserConfig_FaultsNameTheFieldAndShowNoValue(t *testing.T) {
	t.Parallel()
	const key = `"` + secretText + `"`
	for _, c := range []struct{ name, file, want string }{
		{"unknown field", `{"openai_key":` + key + `}`, "openai_key"},
		{"unknown field in another case", `{"OPENAI_API_KEY":` + key + `}`, "OPENAI_API_KEY"},
		{"number", `{"xai_api_key":4815162342}`, "xai_api_key"},
		{"list", `{"xai_api_key":[` + key + `]}`, "xai_api_key"},
		{"object", `{"xai_api_key":{"a":` + key + `}}`, "xai_api_key"},
		{"NUL", `{"xai_api_key":"` + secretText + `\u0000"}`, "xai_api_key"},
		{"unknown zone", `{"timezone":"Mars/Olympus"}`, "timezone"},
		{"a key for a zone", `{"timezone":` + key + `}`, "timezone"},
		{"local zone", `{"timezone":"Local"}`, "timezone"},
		{"path for a zone", `{"timezone":"../../etc/passwd"}`, "timezone"},
		{"zone that is no text", `{"timezone":8}`, "timezone"},
		{"list at the top", `[` + key + `]`, "object"},
		{"text at the top", key, "object"},
		{"empty file", ``, "not JSON"},
		{"cut off", `{"xai_api_key":"` + secretText, "not JSON"},
		{"key without quotes", `{"xai_api_key":` + secretText + `}`, "not JSON"},
		{"two objects", `{"xai_api_key":` + key + `}{}`, "not JSON"},
		{"key that is no UTF-8", "{\"xai_api_key\":\"" + secretText + "\xe9\"}", "xai_api_key"},
		{"half a surrogate pair", `{"xai_api_key":"` + secretText + `\ud800"}`, "xai_api_key"},
		{"this machine's zone", `{"timezone":"localtime"}`, "timezone"},
	} {
		config, err := backend.ParseDefaultUserConfig([]byte(c.file))
		wantErrorNaming(t, c.name, err, c.want)
		if text := fmt.Sprintf("%v %+v", err, config); showsSecret(text) || strings.Contains(text, "4815162342") {
			t.Errorf("%s: got %s, want no value shown", c.name, text)
		}
	}
}

func TestUserConfigPatch_Apply(t *testing.T) {
	t.Parallel()
	zone := "UTC"
	for _, c := range []struct {
		name   string
		config backend.UserConfig
		patch  backend.UserConfigPatch
		zone   string
		keys   map[string]string
	}{
		{"nothing to nothing", backend.UserConfig{}, backend.UserConfigPatch{}, "", nil},
		{"to a config without keys", backend.UserConfig{Timezone: "Asia/Tokyo"},
			backend.UserConfigPatch{Keys: keysOf("a", "1")}, "Asia/Tokyo", map[string]string{"a": "1"}},
		{"keep, set, clear and add", backend.UserConfig{Timezone: "Asia/Tokyo", Keys: keysOf("a", "1", "b", "2", "c", "3")},
			backend.UserConfigPatch{Timezone: &zone, Keys: keysOf("b", "22", "c", "", "d", "4")},
			"UTC", map[string]string{"a": "1", "b": "22", "d": "4"}},
	} {
		c.patch.Apply(&c.config)
		if c.config.Timezone != c.zone || !maps.Equal(reveal(c.config.Keys), c.keys) {
			t.Errorf("%s: got zone %q, keys %q, want %q, %q", c.name, c.config.Timezone, reveal(c.config.Keys), c.zone, c.keys)
		}
	}
}

// keysOf returns provider keys from alternating names and values.
func keysOf(namesAndValues ...string) map[string]backend.Secret {
	keys := make(map[string]backend.Secret)
	for i := 0; i < len(namesAndValues); i += 2 {
		keys[namesAndValues[i]] = backend.NewSecret(namesAndValues[i+1])
	}
	return keys
}
