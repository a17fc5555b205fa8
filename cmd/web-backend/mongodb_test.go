//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"web-backend/internal/store/mongo/mongotest"
)

// applicationPassword must not appear in the output of the program.
const applicationPassword = "an application's secret"

// mongoFolder creates a folder with a configuration for a database server that
// has only its administrator. It also returns driver options for the
// application user.
func mongoFolder(
	t *testing.T, server *mongotest.OwnServer, timeout time.Duration,
) (folder string, application *options.ClientOptions) {
	t.Helper()
	u, err := url.Parse(server.URI())
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	configuration := fmt.Sprintf(`
mongodb_uri: mongodb://%s/?directConnection=true
mongodb_username: web_user
mongodb_password: %q
mongodb_admin_username: root
mongodb_admin_password: root
mongodb_timeout: %s
`, u.Host, applicationPassword, timeout)
	if err := os.WriteFile(filepath.Join(folder, "mongodb.yaml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, options.Client().ApplyURI("mongodb://" + u.Host + "/?directConnection=true").
		SetAuth(options.Credential{Username: "web_user", Password: applicationPassword, AuthSource: "admin"})
}

// run runs the program and waits until it ends.
func run(t *testing.T, folder string, wantStatus int, args ...string) (stdout string) {
	t.Helper()
	p := start(t, folder, args...)
	if state := p.wait(t); state.ExitCode() != wantStatus {
		t.Fatalf("%v: ended with %v, want %d; stderr:\n%s", args, state, wantStatus, p.stderr)
	}
	if printed := p.stdout.String() + p.stderr.String(); strings.Contains(printed, applicationPassword) {
		t.Errorf("%v printed the password:\n%s", args, printed)
	}
	return p.stdout.String()
}

// A database server that has only its administrator is set up, first step by
// step by the bootstrap command. Then the program runs the tour on it.
func TestMongoDB_FirstRun(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	folder, application := mongoFolder(t, server, 25*time.Second) // the engine is slow when many tests run
	config := []string{"--config_path", "mongodb.yaml"}

	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"bootstrap", "--check"}, "would be made"},
		{[]string{"bootstrap"}, "was made"},
		{[]string{"bootstrap"}, "can work on database"},
		{[]string{"bootstrap", "--check"}, "can work on database"},
	} {
		if got := run(t, folder, 0, append(step.args, config...)...); !strings.Contains(got, step.want) {
			t.Errorf("%v printed %q, which lacks %q", step.args, got, step.want)
		}
	}

	p := serve(t, folder, append([]string{"serve"}, config...)...)
	if banner := p.stdout.String(); !strings.Contains(banner, "mongodb, database web at") {
		t.Errorf("the banner does not name the store: %q", banner)
	}
	for _, difference := range checkTour(t, readTour(t), p.url, nil) {
		t.Errorf("on MongoDB: %s, %s", readme, difference)
	}
	readAsOrchestrator(t, p, application)
	p.stop(t)
	if log := p.stderr.String(); strings.Contains(log, applicationPassword) {
		t.Errorf("the log holds the password:\n%s", log)
	}
}

// readAsOrchestrator creates a user and reads it as the orchestrator does, over
// a separate connection: UserConfigs by user_id, and CharacterConfigs by
// user_id and character_id (contract §6).
func readAsOrchestrator(t *testing.T, p *process, application *options.ClientOptions) {
	t.Helper()
	p.must(t, "/api/v1/create_user", `{"user_id":"orchestrated"}`)
	p.must(t, "/api/v1/update_user_config", `{"user_id":"orchestrated","openai_api_key":"a provider key"}`)
	character := p.characterIDs(t, "orchestrated")[0]

	client, err := mongo.Connect(application)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.WithoutCancel(t.Context())) //nolint:errcheck // the client only reads
	database := client.Database("web")
	var config struct {
		OpenAI   string `bson:"openai_api_key"`
		Timezone string `bson:"timezone"`
	}
	err = database.Collection("UserConfigs").FindOne(t.Context(), bson.D{{Key: "user_id", Value: "orchestrated"}}).Decode(&config)
	if err != nil || config.OpenAI != "a provider key" || config.Timezone != "Asia/Shanghai" {
		t.Errorf("the orchestrator reads the user config %+v, %v", config, err)
	}
	var stored struct {
		Prompt     string  `bson:"prompt"`
		VoiceSpeed float64 `bson:"voice_speed"`
		ReadOnly   bool    `bson:"read_only"`
		Friend     int32   `bson:"friend_threshold"`
	}
	err = database.Collection("CharacterConfigs").FindOne(t.Context(),
		bson.D{{Key: "user_id", Value: "orchestrated"}, {Key: "character_id", Value: character}}).Decode(&stored)
	if err != nil || len(stored.Prompt) < 1000 || stored.VoiceSpeed == 0 || !stored.ReadOnly || stored.Friend == 0 {
		t.Errorf("the orchestrator reads the character %+v, %v", stored, err)
	}
}

// While the database is unreachable, requests get status 503 in time. When it
// returns, no restart is needed and no data is lost.
func TestMongoDB_GoesAwayAndReturns(t *testing.T) {
	t.Parallel()
	server := mongotest.Own(t, false)
	const timeout = 6 * time.Second
	folder, _ := mongoFolder(t, server, timeout)
	p := serve(t, folder, "serve", "--config_path", "mongodb.yaml")
	p.must(t, "/api/v1/create_user", `{"user_id":"ada"}`)
	want := p.must(t, "/api/v1/list_characters/ada", "")

	server.Kill(t)
	var requests sync.WaitGroup
	for _, request := range []struct{ path, body string }{
		{"/api/v1/list_characters/ada", ""},
		{"/api/v1/update_user_config", `{"user_id":"ada","xai_api_key":"x"}`},
		{"/health/ready", ""},
	} {
		requests.Go(func() {
			begin := time.Now()
			got, err := p.send(t.Context(), request.path, request.body)
			if err != nil || got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, `"code":503`) {
				t.Errorf("%s without a database: %d %s, %v", request.path, got.status, got.body, err)
			}
			if took := time.Since(begin); took > timeout+deadline {
				t.Errorf("%s took %s, and mongodb_timeout is %s", request.path, took, timeout)
			}
		})
	}
	requests.Wait()
	if got := p.must(t, "/health", ""); got != `"OK"` {
		t.Errorf("without a database the process lives, and /health says %s", got)
	}

	server.Restart(t)
	if err := p.eventually(t, "/health/ready"); err != nil {
		t.Fatal(err)
	}
	if got := p.must(t, "/api/v1/list_characters/ada", ""); got != want {
		t.Errorf("after the restart of the database: %s, want %s", got, want)
	}
	p.must(t, "/api/v1/update_user_config", `{"user_id":"ada","xai_api_key":"x"}`)
	p.stop(t)
}

// eventually repeats a request until it succeeds.
func (p *process) eventually(t *testing.T, path string) error {
	t.Helper()
	var got received
	var err error
	for begin := time.Now(); time.Since(begin) < deadline; {
		if got, err = p.send(t.Context(), path, ""); err == nil && got.status == http.StatusOK {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("%s still gets %d %s", path, got.status, got.body), err)
}
