package api

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"web-backend/internal/backend"
)

// fallbackLanguage is used for a language that has no catalogue.
const fallbackLanguage = "en"

//go:embed messages/*.json
var messageFiles embed.FS

// messages are the sentences for people, by language and reason. A file
// messages/LANGUAGE.json adds a language.
var messages = loadMessages()

func loadMessages() map[string]map[backend.RefusalReason]string {
	files, err := messageFiles.ReadDir("messages")
	if err != nil {
		panic(err) // a file that is built in
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

// RefusalSentence says a refusal in English, in the words of auth_msg.
func RefusalSentence(refusal *backend.Refusal) string {
	return refusalMessage(refusal, fallbackLanguage)
}

// refusalMessage says a refusal in a language: a tag such as zh, zh-CN or
// zh-Hans, of which the first part counts (BCP 47).
func refusalMessage(refusal *backend.Refusal, language string) string {
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(language)), "_", "-"), "-")
	catalogue, ok := messages[primary]
	if !ok {
		catalogue = messages[fallbackLanguage]
	}
	return strings.ReplaceAll(catalogue[refusal.Reason], "{limit}", strconv.Itoa(refusal.Limit))
}
