package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// mongodb compares reads over HTTP with a loop of the driver that sends the
// same commands. It uses the server at TEST_MONGODB_URI or, if that is not set,
// the engine of the tests.
func (b *bench) mongodb() error {
	uri := os.Getenv("TEST_MONGODB_URI")
	if uri == "" {
		engine, err := b.startEngine()
		if err != nil {
			return err
		}
		defer engine.stop()
		uri = "mongodb://root:root@" + engine.address + "/?authSource=admin"
	}
	const database = "web_backend_bench"
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetTimeout(10 * time.Second))
	if err != nil {
		return err
	}
	defer client.Disconnect(b.ctx) //nolint:errcheck // the end of the benchmark
	db := client.Database(database)
	if err := db.Drop(b.ctx); err != nil {
		return err
	}
	p, err := b.startBackend(filepath.Join(b.scratch, "mongodb"), "MONGODB_URI="+uri, "MONGODB_DATABASE="+database, "WEB_BACKEND_STORE=mongodb")
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := dial(b.ctx, p.address)
	if err != nil {
		return err
	}
	defer c.close()
	for n := range mongoUsers {
		if err := c.expect200(post(v1+"create_user", fmt.Sprintf(`{"user_id":%q}`, userID(n)))); err != nil {
			return err
		}
	}
	return b.mongoReads(p, db)
}

// mongoUsers is the number of users in the database. Each of them has eight
// characters.
const mongoUsers = 50

// mongoReads compares the reads of the server with the reads of the driver.
func (b *bench) mongoReads(p *process, db *mongo.Database) error {
	cursor, err := db.Collection("CharacterConfigs").Find(b.ctx, bson.D{})
	if err != nil {
		return err
	}
	var characters []struct {
		UserID      string `bson:"user_id"`
		CharacterID string `bson:"character_id"`
	}
	if err := cursor.All(b.ctx, &characters); err != nil {
		return err
	}
	one, any1 := uniform(len(characters)), uniform(mongoUsers)
	ofUser := func(id string) bson.D { return bson.D{{Key: "user_id", Value: id}} }
	config := func(id string, projection any) error {
		return db.Collection("UserConfigs").FindOne(b.ctx, ofUser(id), options.FindOne().SetProjection(projection)).Err()
	}
	onlyID := bson.D{{Key: "_id", Value: 1}}
	for _, work := range []struct {
		what string
		path func(worker int) string
		bare func(worker int) error
	}{
		{"get_character_config", func(worker int) string {
			key := characters[one(worker)]
			return v1 + "get_character_config/" + key.UserID + "/" + key.CharacterID
		}, func(worker int) error {
			key := characters[one(worker)]
			cursor, err := db.Collection("CharacterConfigs").Aggregate(b.ctx, withConfig(key.UserID, key.CharacterID))
			if err != nil {
				return err
			}
			var found []bson.Raw
			return cursor.All(b.ctx, &found)
		}},
		{"list_characters", func(worker int) string { return v1 + "list_characters/" + userID(any1(worker)) }, func(worker int) error {
			id := userID(any1(worker))
			if err := config(id, onlyID); err != nil {
				return err
			}
			cursor, err := db.Collection("CharacterConfigs").Find(b.ctx, ofUser(id), options.Find().SetSort(onlyID).
				SetProjection(bson.D{{Key: "character_id", Value: 1}, {Key: "character_name", Value: 1}}))
			if err != nil {
				return err
			}
			var found []bson.Raw
			return errors.Join(cursor.All(b.ctx, &found), config(id, onlyID))
		}},
		{"get_available_llm", func(worker int) string { return v1 + "get_available_llm/" + userID(any1(worker)) }, func(worker int) error {
			return config(userID(any1(worker)), nil)
		}},
	} {
		compared, err := b.compare(
			b.over(work.what+" on MongoDB", p, workers, func(worker, _ int) []byte { return get(work.path(worker)) }),
			side{name: "the driver alone", measure: func(length time.Duration) (load, error) { return inProcess(workers, length, work.bare) }})
		if err != nil {
			return err
		}
		b.add(work.what+" on MongoDB", "the driver alone", 0.85, compared, "the same commands: an aggregate with a $lookup, three finds, one find")
	}
	return nil
}

// withConfig returns a pipeline that reads a character if its user has a
// config.
func withConfig(userID, characterID string) mongo.Pipeline {
	return mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "user_id", Value: userID}, {Key: "character_id", Value: characterID}}}},
		{{Key: "$limit", Value: 1}},
		{{Key: "$lookup", Value: bson.D{{Key: "from", Value: "UserConfigs"}, {Key: "localField", Value: "user_id"},
			{Key: "foreignField", Value: "user_id"}, {Key: "as", Value: "config"}}}},
		{{Key: "$match", Value: bson.D{{Key: "config", Value: bson.D{{Key: "$ne", Value: bson.A{}}}}}}},
		{{Key: "$project", Value: bson.D{{Key: "config", Value: 0}}}},
	}
}

// startEngine starts the MongoDB engine of the tests.
func (b *bench) startEngine() (*process, error) {
	installed, err := output(b.ctx, "..", "tools/mongodb/install.sh")
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(installed)
	if len(lines) == 0 {
		return nil, fmt.Errorf("tools/mongodb/install.sh did not say where the engine is")
	}
	command := exec.CommandContext(b.ctx, lines[len(lines)-1], "../tools/mongodb/launch.py") //nolint:gosec // a tool of this repository
	return start(b.ctx, command, "listening on ", "")
}
