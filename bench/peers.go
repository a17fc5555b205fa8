package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
)

// endWithInput ends this process when its standard input closes, so that it
// does not outlive the process that started it.
func endWithInput() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}

// serveBare is the limit: net/http with a handler that always writes the same
// response. The response comes from a file that contains it in its HTTP form,
// except for the Date header, which net/http sets.
func serveBare(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("bare: want the file to answer with")
	}
	file, err := os.Open(args[0]) //nolint:gosec // the caller of this program names the file
	if err != nil {
		return err
	}
	defer file.Close()                                             //nolint:errcheck // it was only read
	received, err := http.ReadResponse(bufio.NewReader(file), nil) //nolint:bodyclose // the body is part of the file
	if err != nil {
		return err
	}
	body, err := io.ReadAll(received.Body)
	if err != nil {
		return err
	}
	received.Header.Del("Date")
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	endWithInput()
	fmt.Println("listening on", listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // loopback only, for the benchmark
		maps.Copy(w.Header(), received.Header)
		_, _ = w.Write(body)
	}))
}

// collection is the name of the PocketBase collection of characters.
const collection = "characters"

// servePocketBase runs PocketBase with one open collection and with the
// durability of web-backend. The default of PocketBase, synchronous(NORMAL),
// may lose confirmed writes if the power fails.
func servePocketBase(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("pocketbase: want the folder for its data")
	}
	app := pocketbase.NewWithConfig(pocketbase.Config{
		DefaultDataDir: args[0],
		DBConnect: func(path string) (*dbx.DB, error) {
			return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"+
				"&_pragma=journal_size_limit(200000000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)"+
				"&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)")
		},
	})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	characters := core.NewBaseCollection(collection)
	everyone := new("")
	characters.ListRule, characters.ViewRule, characters.CreateRule, characters.UpdateRule = everyone, everyone, everyone, everyone
	for _, name := range []string{"user_id", "character_id", "character_name", "avatar", "scene_name", "prompt"} {
		characters.Fields.Add(&core.TextField{Name: name, Max: 100_000})
	}
	if err := app.Save(characters); err != nil {
		return err
	}
	probe, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := probe.Addr().String()
	_ = probe.Close()
	endWithInput()
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		fmt.Println("listening on", address)
		return e.Next()
	})
	return apis.Serve(app, apis.ServeConfig{HttpAddr: address})
}
