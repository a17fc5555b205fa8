package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/api"
	"web-backend/internal/auth"
	"web-backend/internal/motion"
	"web-backend/internal/motion/motionpb"
	"web-backend/internal/motion/source"
)

const motionGolden = "../motion/testdata/golden"

// motionSources returns the sources in the golden folder, or in a copy of it.
func motionSources(t testing.TB, folder string) motion.Sources {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(motionGolden, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Files map[string]map[string]string }
	if err := json.Unmarshal(content, &want); err != nil {
		t.Fatal(err)
	}
	s := motion.Sources{
		Database: source.NewSQLite(filepath.Join(folder, "motion_database.db"), source.Query{Table: "motion_record", EnabledColumn: "enabled"}),
		Clips:    source.NewFolder(filepath.Join(folder, "motion_files")),
	}
	for kind, name := range []string{"restpose", "mesh", "joints", "rigids", "blendshapes"} {
		s.Static[kind] = motion.Files{Source: source.NewFolder(folder), Paths: want.Files[name]}
	}
	return s
}

// newLibrary returns a library for sources. It loads the library if run is
// true.
func newLibrary(t testing.TB, sources motion.Sources, run bool) *motion.Library {
	t.Helper()
	library := motion.NewLibrary(sources, motion.LibraryOptions{
		Options: motion.Options{FloatType: motion.Float32}, CheckInterval: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if run {
		go library.Run(t.Context())
	}
	return library
}

// withMotion adds the golden motion files to a server.
func withMotion(t testing.TB) option {
	t.Helper()
	library := newLibrary(t, motionSources(t, motionGolden), true)
	return withOptions(func(o *api.Options) { o.Motion = api.MotionOptions{Library: library, MaxDownloads: 2} })
}

const motionPath = "/api/v1/motion_file_download"

// dial opens a WebSocket with these header fields.
func (s *server) dial(t testing.TB, header http.Header) (*websocket.Conn, handshake, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, s.http.URL+motionPath, &websocket.DialOptions{HTTPHeader: header})
	if response == nil {
		t.Fatalf("open the WebSocket: %v", err)
	}
	var body []byte
	if response.Body != nil {
		defer response.Body.Close()
		body, _ = io.ReadAll(response.Body)
	}
	if err == nil {
		conn.SetReadLimit(-1)
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, handshake{response.StatusCode, string(body)}, err
}

// handshake is the response to a WebSocket handshake.
type handshake struct {
	status int
	body   string
}

func (s *server) mustDial(t testing.TB) *websocket.Conn {
	t.Helper()
	conn, _, err := s.dial(t, nil)
	if err != nil {
		t.Fatalf("open the WebSocket: %v", err)
	}
	return conn
}

func sendMotion(t testing.TB, conn *websocket.Conn, class, avatar, app string) {
	t.Helper()
	message, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: class, Avatar: avatar, AppName: app})
	if err == nil {
		err = conn.Write(t.Context(), websocket.MessageBinary, message)
	}
	if err != nil {
		t.Fatalf("send %s: %v", class, err)
	}
}

func receiveMotion(t testing.TB, conn *websocket.Conn) *motionpb.MotionFileV1Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kind, content, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	message := &motionpb.MotionFileV1Response{}
	if err := proto.Unmarshal(content, message); err != nil || kind != websocket.MessageBinary {
		t.Fatalf("receive a message of kind %v: %v", kind, err)
	}
	return message
}

// closedWith waits until the server closes the connection and returns the code
// and the reason.
func closedWith(t testing.TB, conn *websocket.Conn) (websocket.StatusCode, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Errorf("the server does not close: %v", err)
			}
			closed, _ := errors.AsType[websocket.CloseError](err)
			return closed.Code, closed.Reason
		}
	}
}

// The requests that the web client sends to show a character. Each request
// waits for the response to the previous one.
func TestMotion_SessionA(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t))
	for _, avatar := range []string{"KQ-default", "Ani-default"} {
		conn := s.mustDial(t)
		for _, c := range []struct{ request, response, file string }{
			{"MeshV1Request", "MeshV1Response", map[string]string{"KQ-default": "mesh_glb/keqing.glb", "Ani-default": "mesh_glb/ani.glb"}[avatar]},
			{"JointsMetaV1Request", "JointsMetaV1Response", map[string]string{"KQ-default": "joints_meta/KQ-default_joints_meta.json"}[avatar]},
			{"RigidsMetaV1Request", "RigidsMetaV1Response", map[string]string{"KQ-default": "rigids_meta/KQ-default_rigids_meta.json"}[avatar]},
			{"BlendshapesMetaV1Request", "BlendshapesMetaV1Response", "blendshapes_meta/" + avatar + "_blendshapes_meta.json"},
		} {
			sendMotion(t, conn, c.request, avatar, "babylon")
			got := receiveMotion(t, conn)
			var want []byte
			if c.file != "" {
				var err error
				if want, err = os.ReadFile(filepath.Join(motionGolden, c.file)); err != nil {
					t.Fatal(err)
				}
			}
			if got.GetClassName() != c.response || !bytes.Equal(got.GetData(), want) {
				t.Errorf("%s %s: got %s with %d bytes, want %d", avatar, c.request, got.GetClassName(), len(got.GetData()), len(want))
			}
		}
		if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// The requests that the web client sends to move a character.
func TestMotion_SessionB(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t))
	conn := s.mustDial(t)
	sendMotion(t, conn, "VersionV1Request", "", "")
	if got := receiveMotion(t, conn); got.GetClassName() != "VersionV1Response" || !strings.HasPrefix(got.GetVersion(), "1001-") {
		t.Errorf("got %v, want a version of the database 1001", got)
	}
	// Two requests at once get their responses one after the other.
	sendMotion(t, conn, "MotionFileV1Request", "Ani-default", "babylon")
	sendMotion(t, conn, "MotionFileV1Request", "KQ-default", "")
	for _, avatar := range []string{"Ani-default", "KQ-default"} {
		var ids []int32
		states := map[string]bool{}
		for {
			got := receiveMotion(t, conn)
			if got.GetClassName() == "MotionFileEndV1Response" {
				break
			}
			if got.GetClassName() != "MotionClip" || got.GetRestposeName() != avatar {
				t.Fatalf("got %s of %s, want a clip of %s", got.GetClassName(), got.GetRestposeName(), avatar)
			}
			ids = append(ids, got.GetMotionRecordId())
			for _, state := range got.GetStates() {
				states[state] = true
			}
			if got.GetIsIdleLong() {
				states["long idle"] = true
			}
		}
		if len(ids) != 22 || !slices.IsSorted(ids) {
			t.Errorf("%s: got the clips %v, want 22 in ascending order", avatar, ids)
		}
		for _, state := range []string{"long idle", "idle", "listen", "error", "leave"} {
			if !states[state] {
				t.Errorf("%s: no clip is for %s", avatar, state)
			}
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
	s.api.CloseMotionSessions(t.Context())
	log := s.stop(t)
	if !strings.Contains(log, "route=/api/v1/motion_file_download status=101") || strings.Contains(log, "reason=") {
		t.Errorf("the log has no line of the session, or it ended badly:\n%s", log)
	}
}

func TestMotion_BadRequests(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t))
	request := func(class, avatar, app string) []byte {
		message, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: class, Avatar: avatar, AppName: app})
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	long := strings.Repeat("é", 1000)
	for _, c := range []struct {
		name    string
		kind    websocket.MessageType
		message []byte
		code    websocket.StatusCode
		reason  string
	}{
		{"text", websocket.MessageText, []byte(`{"class_name":"VersionV1Request"}`), websocket.StatusUnsupportedData, "want binary messages"},
		{"not protobuf", websocket.MessageBinary, []byte{0xff, 0xff}, websocket.StatusPolicyViolation, "is not a MotionFileV1Request"},
		{"not UTF-8", websocket.MessageBinary, []byte("\x0a\x02\xff\xfe"), websocket.StatusPolicyViolation, "is not a MotionFileV1Request"},
		{"empty", websocket.MessageBinary, nil, websocket.StatusPolicyViolation, `unknown class_name ""`},
		{"unknown class", websocket.MessageBinary, request("MotionFileV2Request", "KQ-default", ""), websocket.StatusPolicyViolation, `unknown class_name "MotionFileV2Request"`},
		{"long class", websocket.MessageBinary, request(long, "", ""), websocket.StatusPolicyViolation, `unknown class_name`},
		{"control characters", websocket.MessageBinary, request(strings.Repeat("\x01", 40), "", ""), websocket.StatusPolicyViolation, `unknown class_name`},
		{"long avatar", websocket.MessageBinary, request("BlendshapesMetaV1Request", long, ""), websocket.StatusPolicyViolation, "no blendshapes meta of avatar"},
		{"unknown app", websocket.MessageBinary, request("MotionFileV1Request", "KQ-default", "unity"), websocket.StatusPolicyViolation, `unknown app_name "unity"`},
		{"unknown avatar", websocket.MessageBinary, request("MeshV1Request", "../KQ-default", ""), websocket.StatusPolicyViolation, "no mesh of avatar"},
		{"avatar without clips", websocket.MessageBinary, request("MotionFileV1Request", "HT-default", "babylon"), websocket.StatusPolicyViolation, "no motions of avatar"},
		{"too large", websocket.MessageBinary, make([]byte, 65<<10), websocket.StatusMessageTooBig, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := s.mustDial(t)
			if err := conn.Write(t.Context(), c.kind, c.message); err != nil {
				t.Fatal(err)
			}
			code, reason := closedWith(t, conn)
			if code != c.code || !strings.Contains(reason, c.reason) {
				t.Errorf("closed with %d %q, want %d and %q", code, reason, c.code, c.reason)
			}
		})
	}
}

func TestMotion_Handshake(t *testing.T) {
	t.Parallel()
	pages := func(enabled bool, origins ...string) option {
		return withOptions(func(o *api.Options) { o.EnableCORS, o.CORSOrigins = enabled, origins })
	}
	strict := withOptions(func(o *api.Options) { o.Access.Mode = auth.Strict })
	off := withOptions(func(o *api.Options) { o.Motion = api.MotionOptions{} })
	for _, c := range []struct {
		name    string
		options []option
		header  http.Header
		status  int
	}{
		{"a program", nil, nil, 101},
		{"a page of another origin", nil, http.Header{"Origin": {"https://example.org"}}, 403},
		{"a page of no origin", nil, http.Header{"Origin": {"null"}}, 403},
		{"any page with CORS", []option{pages(true)}, http.Header{"Origin": {"https://example.org"}}, 101},
		{"a page of the list", []option{pages(true, "https://example.org")}, http.Header{"Origin": {"https://example.org"}}, 101},
		{"a page not of the list", []option{pages(true, "https://example.org")}, http.Header{"Origin": {"https://example.com"}}, 403},
		{"strict without a token", []option{strict}, nil, 401},
		{"strict with a bad token", []option{strict}, bearer("nonsense"), 401},
		{"strict with an operator's token", []option{strict}, bearer(operatorToken.Reveal()), 101},
		{"not configured", []option{off}, nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, append([]option{withMotion(t)}, c.options...)...)
			conn, got, err := s.dial(t, c.header)
			if got.status != c.status {
				t.Fatalf("got %+v, %v, want %d", got, err, c.status)
			}
			if c.status == 101 {
				sendMotion(t, conn, "VersionV1Request", "", "")
				receiveMotion(t, conn)
				return
			}
			if !strings.HasPrefix(got.body, `{"message":`) {
				t.Errorf("the body is %s, want an error as all are", got.body)
			}
			if log := s.logLines(); c.name == "not configured" && !strings.Contains(log, "motion files are not configured") {
				t.Errorf("the log does not say why:\n%s", log)
			}
		})
	}
}

// A user token opens the WebSocket in strict mode.
func TestMotion_StrictUser(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t), withOptions(func(o *api.Options) { o.Access.Mode = auth.Strict }))
	s.exchange(t, exchange{request: "POST register_user", body: `{"username":"anna","password":"long enough"}`, status: 200})
	got := s.exchange(t, exchange{request: "POST authenticate_user", body: `{"username":"anna","password":"long enough"}`, status: 200})
	var login struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &login); err != nil || login.AccessToken == "" {
		t.Fatalf("the login gave %s", got.body)
	}
	if _, got, err := s.dial(t, bearer(login.AccessToken)); err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMotion_NoHandshake(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t))
	upgrade := http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"c2l4dGVlbiBieXRlcyEhIQ=="}}
	without := func(name string, value ...string) http.Header {
		header := upgrade.Clone()
		header[name] = value
		return header
	}
	s.run(t,
		exchange{name: "plain", request: "GET motion_file_download", status: 426, contains: []string{"a proxy must pass on the headers Upgrade"}},
		exchange{name: "post", request: "POST motion_file_download", status: 405},
		exchange{name: "version", request: "GET motion_file_download", header: without("Sec-Websocket-Version", "8"), status: 426},
		exchange{name: "no key", request: "GET motion_file_download", header: without("Sec-Websocket-Key"), status: 400},
		exchange{name: "bad key", request: "GET motion_file_download", header: without("Sec-Websocket-Key", "short"), status: 400},
		exchange{name: "two keys", request: "GET motion_file_download", header: without("Sec-Websocket-Key", upgrade["Sec-Websocket-Key"][0], upgrade["Sec-Websocket-Key"][0]), status: 400},
	)
}

func TestMotion_Keywords(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t))
	s.exchange(t, exchange{request: "GET motion_keywords", status: 200,
		want: `{"motion_keywords":["","只有关键词","挥手","摇头","点头","转圈","鞠躬","鼓掌"]}`})
	off := newServer(t)
	off.exchange(t, exchange{request: "GET motion_keywords", status: 404, contains: []string{"no motion files"}})
}

// A request waits until motion files are loaded. When the server stops, all
// clients are told.
func TestMotion_NotReadyAndStop(t *testing.T) {
	t.Parallel()
	library := newLibrary(t, motionSources(t, motionGolden), false)
	s := newServer(t, withOptions(func(o *api.Options) { o.Motion = api.MotionOptions{Library: library, MaxDownloads: 1} }))
	waits, idle := s.mustDial(t), s.mustDial(t)
	sendMotion(t, waits, "VersionV1Request", "", "")
	go library.Run(t.Context())
	receiveMotion(t, waits)
	sendMotion(t, idle, "MotionFileV1Request", "KQ-default", "babylon")
	for last := ""; last != "MotionFileEndV1Response"; {
		last = receiveMotion(t, idle).GetClassName()
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.api.CloseMotionSessions(t.Context())
	}()
	for _, conn := range []*websocket.Conn{waits, idle} {
		if code, _ := closedWith(t, conn); code != websocket.StatusServiceRestart {
			t.Errorf("closed with %d, want %d", code, websocket.StatusServiceRestart)
		}
	}
	<-closed
	if got := s.api.MotionStats(); got.Connections != 0 || got.Downloads != 0 || got.Waiting != 0 || got.SentBytes == 0 {
		t.Errorf("the counts are %+v after all", got)
	}
}

// Clients are pinged. A client that responds stays connected, but a client
// without requests is disconnected in the end.
func TestMotion_PingsAndIdleClients(t *testing.T) {
	t.Parallel()
	s := newServer(t, withMotion(t))
	s.api.SetMotionTimes(time.Millisecond, 300*time.Millisecond)
	pings := make(chan struct{}, 1000)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.http.URL+motionPath, &websocket.DialOptions{ //nolint:bodyclose // the WebSocket owns the body
		OnPingReceived: func(context.Context, []byte) bool { pings <- struct{}{}; return true }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if code, _ := closedWith(t, conn); code != websocket.StatusGoingAway {
		t.Errorf("closed with %d, want %d", code, websocket.StatusGoingAway)
	}
	if len(pings) < 2 {
		t.Errorf("got %d pings", len(pings))
	}
	s.api.CloseMotionSessions(t.Context())
	if log := s.stop(t); !strings.Contains(log, `reason="no request came for too long"`) {
		t.Errorf("the log does not say why the session ended:\n%s", log)
	}
}

// withBigMesh adds a mesh of Ani-default to a server. The mesh is larger than
// the buffers of a connection.
func withBigMesh(t testing.TB, writeTimeout time.Duration) option {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(motionGolden)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "mesh_glb/ani.glb"), make([]byte, 24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	library := newLibrary(t, motionSources(t, folder), true)
	return withOptions(func(o *api.Options) {
		o.Motion, o.WriteTimeout = api.MotionOptions{Library: library, MaxDownloads: 1}, writeTimeout
	})
}

// A client that disconnects, or that does not read, keeps its place no longer
// than the time limit of a message. Neither is logged as an error of the
// server.
func TestMotion_ClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	s := newServer(t, withBigMesh(t, 20*time.Millisecond))
	for _, leaves := range []bool{true, false} {
		slow, next := s.mustDial(t), s.mustDial(t)
		sendMotion(t, slow, "MeshV1Request", "Ani-default", "")
		if _, _, err := slow.Reader(t.Context()); err != nil { // the start of the response
			t.Fatal(err)
		}
		if leaves {
			_ = slow.CloseNow()
		}
		sendMotion(t, next, "BlendshapesMetaV1Request", "Ani-default", "")
		if got := receiveMotion(t, next); got.GetClassName() != "BlendshapesMetaV1Response" {
			t.Errorf("got %s", got.GetClassName())
		}
		_ = next.Close(websocket.StatusNormalClosure, "")
	}
	s.api.CloseMotionSessions(t.Context())
	log := s.stop(t)
	if strings.Contains(log, "level=ERROR") || !strings.Contains(log, `reason="the connection broke off"`) ||
		!strings.Contains(log, `reason="the client took too long to read a response"`) {
		t.Errorf("the log does not say how the two sessions ended:\n%s", log)
	}
}

// A client that disconnects in the middle of a message is not an error of the
// server, whether reading or writing fails first.
func TestMotion_ClientsThatLeave(t *testing.T) {
	t.Parallel()
	s := newServer(t, withBigMesh(t, time.Minute))
	for range 20 {
		conn := s.mustDial(t)
		sendMotion(t, conn, "MeshV1Request", "Ani-default", "")
		_, r, err := conn.Reader(t.Context())
		if err == nil {
			_, err = io.CopyN(io.Discard, r, 4<<20)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.CloseNow()
	}
	s.api.CloseMotionSessions(t.Context())
	if log := s.stop(t); strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has an error:\n%s", log)
	}
}

// If a client sends a bad request during a response, the session ends after the
// message that is being sent.
func TestMotion_BadRequestAfterAResponse(t *testing.T) {
	t.Parallel()
	s := newServer(t, withBigMesh(t, time.Minute))
	conn := s.mustDial(t)
	sendMotion(t, conn, "MeshV1Request", "Ani-default", "")
	_, response, err := conn.Reader(t.Context())
	if err == nil {
		err = conn.Write(t.Context(), websocket.MessageText, []byte("{}"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(response); err != nil || len(content) < 24<<20 {
		t.Errorf("got %d bytes, %v, want the mesh", len(content), err)
	}
	if code, _ := closedWith(t, conn); code != websocket.StatusUnsupportedData {
		t.Errorf("closed with %d, want %d", code, websocket.StatusUnsupportedData)
	}
}

// A slow client cannot respond to a ping before it has read the data sent
// before it, so the server does not ping during a response.
func TestMotion_NoPingsWithinAResponse(t *testing.T) {
	t.Parallel()
	s := newServer(t, withBigMesh(t, time.Minute))
	s.api.SetMotionTimes(time.Millisecond, time.Hour)
	var pings atomic.Int64
	conn, _, err := websocket.Dial(t.Context(), s.http.URL+motionPath, &websocket.DialOptions{ //nolint:bodyclose // the WebSocket owns the body
		OnPingReceived: func(context.Context, []byte) bool { pings.Add(1); return true }})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() })
	sendMotion(t, conn, "MeshV1Request", "Ani-default", "")
	_, response, err := conn.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := pings.Load()
	for err == nil {
		_, err = io.CopyN(io.Discard, response, 64<<10)
		time.Sleep(time.Millisecond) // slow enough for several pings
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if got := pings.Load() - before; got > 1 { // one may have been sent before
		t.Errorf("got %d pings within the response", got)
	}
}

// spoiled is a source whose files are read by the function read after they are
// loaded.
type spoiled struct {
	motion.FileSource

	loaded *atomic.Bool
	read   func() (int, error)
}

type spoiledFile struct {
	motion.File

	source *spoiled
}

func (s *spoiled) Open(ctx context.Context, path string) (motion.File, error) {
	file, err := s.FileSource.Open(ctx, path)
	return spoiledFile{file, s}, err
}

func (f spoiledFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.source.loaded.Load() {
		return f.source.read()
	}
	return f.File.ReadAt(p, offset)
}

// If an error occurs while a file is sent, the client does not wait forever and
// does not take a part for the complete file.
func TestMotion_FilesThatFail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		read func() (int, error)
		code websocket.StatusCode // 0 if there is no close frame
		log  string
	}{
		{"shortened", func() (int, error) { return 0, io.EOF }, websocket.StatusTryAgainLater, "the motion files changed"},
		{"broken disk", func() (int, error) { return 0, errors.New("input/output error") }, websocket.StatusInternalError, "error=\"input/output error\""},
		{"panic", func() (int, error) { panic("a bug") }, 0, "panic: a bug"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var loaded atomic.Bool
			sources := motionSources(t, motionGolden)
			sources.Static[motion.Meshes].Source = &spoiled{sources.Static[motion.Meshes].Source, &loaded, c.read}
			library := newLibrary(t, sources, true)
			s := newServer(t, withOptions(func(o *api.Options) { o.Motion = api.MotionOptions{Library: library, MaxDownloads: 1} }))
			if _, err := library.Wait(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
			loaded.Store(true)
			conn := s.mustDial(t)
			sendMotion(t, conn, "MeshV1Request", "Ani-default", "")
			if code, reason := closedWith(t, conn); code != c.code {
				t.Errorf("closed with %d %q, want %d", code, reason, c.code)
			}
			s.api.CloseMotionSessions(t.Context())
			if got := s.api.MotionStats(); got.Connections != 0 || got.Downloads != 0 {
				t.Errorf("the counts are %+v after all", got)
			}
			if log := s.stop(t); !strings.Contains(log, c.log) {
				t.Errorf("the log does not say %s:\n%s", c.log, log)
			}
		})
	}
}

// HTTP/2 does not allow the header Upgrade. curl rejects a response that
// contains it.
func TestMotion_HandshakeOverHTTP2(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(newHandler(t, withMotion(t)).handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	response, err := s.Client().Get(s.URL + motionPath)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Upgrade") != "" {
		t.Errorf("got %s %s with Upgrade %q, want a 426 of HTTP/2 without", response.Proto, response.Status, response.Header.Get("Upgrade"))
	}
}
