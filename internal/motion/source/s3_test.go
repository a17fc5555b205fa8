package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"web-backend/internal/backend"
	"web-backend/internal/motion"
	"web-backend/internal/motion/source"
)

const s3Secret = "a-secret-key"

func newBucket(endpoint string) *source.S3 {
	return source.NewS3(source.S3Options{
		Endpoint: endpoint, Bucket: "3dac", AccessKey: "reader", SecretKey: backend.NewSecret(s3Secret),
	})
}

// serve returns the bucket of a server with this handler.
func serve(t *testing.T, handler http.HandlerFunc) *source.S3 {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newBucket(server.Listener.Addr().String())
}

// silent returns the address of a server that accepts connections but never
// responds.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// deserted returns an address without a listener.
func deserted(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	return listener.Addr().String()
}

func TestS3_Refusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status              int
		body                string // the code of an S3 error if it is one word
		absent, unavailable bool
		text                string
	}{
		{404, "NoSuchKey", true, false, "not exist"},
		{404, "NoSuchBucket", false, true, "404 NoSuchBucket: check the name of the bucket"},
		{404, "404 page not found", false, true, "404, not NoSuchKey: check the endpoint"},
		{403, "AccessDenied", false, false, "403 AccessDenied: the key needs s3:GetObject"},
		{403, "SignatureDoesNotMatch", false, true, "check the secret key"},
		{403, "InvalidAccessKeyId", false, true, "check the access key"},
		{403, "RequestTimeTooSkewed", false, true, "the clocks differ too much"},
		{400, "KeyTooLongError", false, false, "400 KeyTooLongError"},
		{400, "AuthorizationHeaderMalformed", false, true, "another region"},
		{301, "PermanentRedirect", false, true, "301 PermanentRedirect"},
		{503, "SlowDown", false, true, "503 SlowDown"},
		{502, "<html>" + s3Secret, false, true, "502"},
	} {
		t.Run(fmt.Sprint(c.status, c.body), func(t *testing.T) {
			t.Parallel()
			bucket := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://elsewhere.invalid/")
				w.WriteHeader(c.status)
				if strings.ContainsAny(c.body, " <") {
					fmt.Fprint(w, c.body)
					return
				}
				fmt.Fprintf(w, "<Error><Code>%s</Code><StringToSign>%s %s</StringToSign></Error>", c.body, r.Header.Get("Authorization"), s3Secret)
			})
			_, err := bucket.Open(t.Context(), "clip.npz")
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got %v, want %q", err, c.text)
			}
			if errors.Is(err, fs.ErrNotExist) != c.absent || errors.Is(err, motion.ErrUnavailable) != c.unavailable {
				t.Errorf("%v: absent %v, want %v; unavailable %v, want %v", err,
					errors.Is(err, fs.ErrNotExist), c.absent, errors.Is(err, motion.ErrUnavailable), c.unavailable)
			}
			for _, secret := range []string{s3Secret, "Signature="} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows %s: %v", secret, err)
				}
			}
		})
	}
}

// If the server fails, this does not say anything about the object, and the
// wait for it is limited.
func TestS3_Unavailable(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	part := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, strings.Repeat("x", 500))
		w.(http.Flusher).Flush()
	}
	for _, c := range []struct {
		name, text string
		bucket     *source.S3
	}{
		{"nobody listens", "connection refused", newBucket(deserted(t))},
		{"no response", "no response within 1s", newBucket(silent(t))},
		{"gone in the middle", "unexpected EOF", serve(t, func(w http.ResponseWriter, _ *http.Request) {
			part(w)
			panic(http.ErrAbortHandler)
		})},
		{"silent in the middle", "no response within 1s", serve(t, func(w http.ResponseWriter, r *http.Request) {
			part(w)
			select {
			case <-released:
			case <-r.Context().Done():
			}
		})},
		{"no size", "does not say how large", serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.bucket.SetStall(time.Second)
			_, err := c.bucket.Open(t.Context(), "clip.npz")
			if !errors.Is(err, motion.ErrUnavailable) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want that it is not available: %s", err, c.text)
			}
		})
	}
}

func TestS3_ContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	bucket := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := bucket.Open(ctx, "clip.npz"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// A slow server is not interrupted as long as data arrives.
func TestS3_Slow(t *testing.T) {
	t.Parallel()
	const stall = 2 * time.Second
	bucket := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		for range 4 {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-time.After(stall / 2):
			case <-r.Context().Done():
			}
		}
	})
	bucket.SetStall(stall)
	file, err := bucket.Open(t.Context(), "clip.npz")
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
}

func TestS3_TooLarge(t *testing.T) {
	t.Parallel()
	bucket := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1073741825") })
	_, err := bucket.Open(t.Context(), "clip.npz")
	if err == nil || errors.Is(err, motion.ErrUnavailable) || !strings.Contains(err.Error(), "more than 1073741824") {
		t.Errorf("got %v, want that the object is too large", err)
	}
}

func TestS3_Keys(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	bucket := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	for _, key := range []string{"", "/etc/passwd", "..", "../other/clip.npz", "a/../../clip.npz", "a/./b", "a//b", "a/"} {
		if file, err := bucket.Open(t.Context(), key); err == nil {
			file.Close()
			t.Errorf("%q is opened", key)
		}
		if _, err := bucket.Fingerprint(t.Context(), key); err == nil {
			t.Errorf("%q has a fingerprint", key)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("the server got %d requests", n)
	}
}

// An open object does not use memory and does not leave a file behind.
func TestS3_Spools(t *testing.T) {
	const content = "the clip"
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	bucket := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) })
	file, err := bucket.Open(t.Context(), "clip.npz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) > 0 && runtime.GOOS != "windows" {
		t.Errorf("the folder of temporary files has %v, %v", entries, err)
	}
	got, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
	if err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}
