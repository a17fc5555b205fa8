package backend_test

import (
	"slices"
	"testing"

	"web-backend/internal/backend"
)

func TestAvailableProviders(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	for _, step := range []struct {
		keys []string // alternating names and values to set
		role backend.ProviderRole
		want []string
	}{
		{nil, backend.LLM, []string{"xai"}},
		{nil, backend.ASR, []string{"zoetrope"}},
		{nil, backend.TTS, []string{"chatterbox", "zoetrope"}},
		{[]string{"openai_api_key", "sk-1"}, backend.LLM, []string{"openai", "xai"}},
		{nil, backend.ASR, []string{"openai", "zoetrope"}},
		{[]string{"huoshan_app_id", "1"}, backend.TTS, []string{"chatterbox", "zoetrope"}},
		{[]string{"huoshan_token", "2"}, backend.TTS, []string{"chatterbox", "huoshan", "huoshan_icl", "zoetrope"}},
		{[]string{"xai_api_key", ""}, backend.LLM, []string{"openai"}},
		{[]string{"openai_api_key", ""}, backend.LLM, []string{}},
	} {
		if err := r.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Keys: keysOf(step.keys...)}); err != nil {
			t.Fatal(err)
		}
		got, err := r.AvailableProviders(t.Context(), "ada", step.role)
		if err != nil || got == nil || !slices.Equal(got, step.want) {
			t.Errorf("%s providers after setting %q: got %#v, error %v, want %q", step.role, step.keys, got, err, step.want)
		}
	}
	_, err := r.AvailableProviders(t.Context(), "nobody", backend.LLM)
	wantKind(t, "unknown user", err, backend.NotFound, "")
}

// TestMissingSecrets_OfAStoredCharacter sets the keys of a character one by
// one. Its adapters are those of the fixture.
func TestMissingSecrets_OfAStoredCharacter(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.createUser("ada")
	key := r.characters("ada")[1].Key()
	for _, step := range []struct {
		keys []string
		want backend.MissingSecrets
	}{
		{nil, backend.MissingSecrets{
			LLM: []string{"openai_api_key", "sensenova_api_key"},
			TTS: []string{"huoshan_app_id", "huoshan_token"}, ASR: []string{"openai_api_key"}}},
		{[]string{"openai_api_key", "sk-1", "huoshan_token", "2"}, backend.MissingSecrets{
			LLM: []string{"sensenova_api_key"}, TTS: []string{"huoshan_app_id"}, ASR: []string{}}},
		{[]string{"sensenova_api_key", "s", "huoshan_app_id", "1"}, backend.MissingSecrets{
			LLM: []string{}, TTS: []string{}, ASR: []string{}}},
		{[]string{"openai_api_key", ""}, backend.MissingSecrets{
			LLM: []string{"openai_api_key"}, TTS: []string{}, ASR: []string{"openai_api_key"}}},
	} {
		if err := r.UpdateUserConfig(t.Context(), "ada", backend.UserConfigPatch{Keys: keysOf(step.keys...)}); err != nil {
			t.Fatal(err)
		}
		got, err := r.MissingSecrets(t.Context(), key)
		same := slices.Equal(got.LLM, step.want.LLM) && slices.Equal(got.TTS, step.want.TTS) && slices.Equal(got.ASR, step.want.ASR)
		if err != nil || !same || got.LLM == nil || got.TTS == nil || got.ASR == nil {
			t.Errorf("after setting %q: got %#v, error %v, want %#v", step.keys, got, err, step.want)
		}
	}
}
