//go:build unix

package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/motion/motionpb"
)

// motionFolder returns the environment variable that configures the golden
// motion files.
func motionFolder(t testing.TB) string {
	t.Helper()
	folder, err := filepath.Abs("../../internal/motion/testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	return "WEB_BACKEND_MOTION_DATA_DIR=" + folder
}

// Downloads of motion files work below the base path and may take longer than
// other responses. If a client is still downloading when the program stops, the
// program tells it so.
func TestMotionFiles(t *testing.T) {
	t.Parallel()
	p := serveWith(t, t.TempDir(), []string{motionFolder(t), "WEB_BACKEND_WRITE_TIMEOUT=1s", "WEB_BACKEND_READ_TIMEOUT=1s", "WEB_BACKEND_BASE_PATH=/characters"})
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, p.url+"/api/v1/motion_file_download", nil) //nolint:bodyclose // the WebSocket owns the body
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	request, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: "MotionFileV1Request", Avatar: "KQ-default", AppName: "babylon"})
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 1500*time.Millisecond; { // longer than both timeouts
		if err := conn.Write(ctx, websocket.MessageBinary, request); err != nil {
			t.Fatal(err)
		}
		for last := ""; last != "MotionFileEndV1Response"; {
			_, content, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			message := &motionpb.MotionFileV1Response{}
			if err := proto.Unmarshal(content, message); err != nil {
				t.Fatal(err)
			}
			last = message.GetClassName()
		}
	}
	closed := make(chan error, 1)
	go func() {
		_, _, err := conn.Read(ctx)
		closed <- err
	}()
	p.stop(t)
	var end websocket.CloseError
	if err := <-closed; !errors.As(err, &end) || end.Code != websocket.StatusServiceRestart {
		t.Errorf("the connection ended with %v, want %v", err, websocket.StatusServiceRestart)
	}
}
