package api

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"web-backend/internal/backend"
)

// fallbackLanguage is used for a language that does not have a catalogue.
const fallbackLanguage = "en"

//go:embed messages/*.json
var messageFiles embed.FS

// messages are the sentences shown to people, by language and reason. To add a
// language, add a file messages/LANGUAGE.json.
var messages = loadMessages()

func loadMessages() map[string]map[backend.RefusalReason]string {
	files, err := messageFiles.ReadDir("messages")
	if err != nil {
		panic(err) // cannot happen: the files are embedded
	}
	catalogues := make(map[string]map[backend.RefusalReason]string, len(files))
	for _, file := range files {
		data, err := messageFiles.ReadFile("messages/" + file.Name())
		if err != nil {
			panic(err)
		}
		var catalogue map[backend.RefusalReason]string
		if err := json.Unmarshal(data, &catalogue); err != nil {
			panic(fmt.Sprintf("messages/%s: %v", file.Name(), err))
		}
		catalogues[strings.TrimSuffix(file.Name(), ".json")] = catalogue
	}
	return catalogues
}

// RefusalSentence returns the English sentence for a refusal, as in auth_msg.
func RefusalSentence(refusal *backend.Refusal) string {
	return refusalMessage(refusal, fallbackLanguage)
}

// refusalMessage returns the sentence for a refusal in a language. The language
// is a tag such as zh, zh-CN or zh-Hans, of which only the first part is used
// (BCP 47).
func refusalMessage(refusal *backend.Refusal, language string) string {
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(language)), "_", "-"), "-")
	catalogue, ok := messages[primary]
	if !ok {
		catalogue = messages[fallbackLanguage]
	}
	return strings.ReplaceAll(catalogue[refusal.Reason], "{limit}", strconv.Itoa(refusal.Limit))
}
