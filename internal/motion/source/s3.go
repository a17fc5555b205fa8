package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"web-backend/internal/backend"
	"web-backend/internal/motion"
)

const (
	maxObjectBytes = 1 << 30
	connectTimeout = 10 * time.Second
	stallTimeout   = 30 * time.Second // maximum time without a byte from the server

	defaultRegion = "us-east-1" // the region of MinIO unless another one is configured

	// noContent is the SHA-256 of an empty body. All requests have an empty
	// body.
	noContent = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// S3Options configure a bucket and the access to it.
type S3Options struct {
	Endpoint  string // host, or host:port
	Bucket    string
	Region    string // "" for us-east-1
	AccessKey string
	SecretKey backend.Secret
	TLS       bool
}

// S3 is a bucket of MinIO or of another server with the S3 protocol. Its paths
// are object keys.
type S3 struct {
	options S3Options
	client  *http.Client
	signer  *v4.Signer
	stall   time.Duration
}

// NewS3 returns the bucket. It does not need to exist yet.
func NewS3(options S3Options) *S3 {
	options.Region = cmp.Or(options.Region, defaultRegion)
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &S3{
		options: options,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         dialer.DialContext,
				TLSHandshakeTimeout: connectTimeout,
				IdleConnTimeout:     stallTimeout,
				DisableCompression:  true, // receive the object in its stored form
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), // it is already escaped
		stall:  stallTimeout,
	}
}

// String returns the name of the bucket for a person.
func (s *S3) String() string {
	return fmt.Sprintf("bucket %s of %s", s.options.Bucket, s.options.Endpoint)
}

// Fingerprint implements [motion.FileSource].
func (s *S3) Fingerprint(ctx context.Context, path string) (fingerprint string, err error) {
	err = s.do(ctx, http.MethodHead, path, func(r *http.Response) error {
		fingerprint = fmt.Sprintf("%d %s", r.ContentLength, r.Header.Get("ETag"))
		return nil
	})
	return fingerprint, err
}

// Open implements [motion.FileSource]. It copies the object into a temporary file,
// so that an open object cannot change and does not use memory.
func (s *S3) Open(ctx context.Context, path string) (motion.File, error) {
	var file *spooled
	err := s.do(ctx, http.MethodGet, path, func(r *http.Response) (err error) {
		switch {
		case r.ContentLength < 0:
			return s.unavailable(errors.New("the server does not say how large an object is"))
		case r.ContentLength > maxObjectBytes:
			return fmt.Errorf("has %d bytes, more than %d", r.ContentLength, maxObjectBytes)
		}
		if file, err = spool(r.Body, r.ContentLength); err != nil {
			return s.unavailable(err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return file, nil
}

// do sends a request for an object. It calls use with a successful response.
func (s *S3) do(ctx context.Context, method, path string, use func(*http.Response) error) error {
	if err := checkKey(path); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := fmt.Errorf("no response within %s", s.stall)
	timer := time.AfterFunc(s.stall, func() { cancel(stalled) })
	defer timer.Stop()

	response, err := s.send(ctx, method, path)
	if err == nil {
		defer response.Body.Close()
		response.Body = &stallReader{response.Body, func() { timer.Reset(s.stall) }}
		if response.StatusCode != http.StatusOK {
			return s.responseError(response)
		}
		err = use(response)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), stalled):
		return s.unavailable(stalled)
	case errors.Is(err, motion.ErrUnavailable) || response != nil:
		return err
	}
	return s.unavailable(plain(err))
}

func (s *S3) send(ctx context.Context, method, path string) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: s.options.Endpoint, Path: "/" + s.options.Bucket + "/" + path}
	if s.options.TLS {
		target.Scheme = "https"
	}
	// net/url does not escape some characters that S3 requires to be escaped.
	target.RawPath = httpbinding.EscapePath(target.Path, false)
	request, err := http.NewRequestWithContext(ctx, method, target.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Amz-Content-Sha256", noContent)
	key := aws.Credentials{AccessKeyID: s.options.AccessKey, SecretAccessKey: s.options.SecretKey.Reveal()}
	if err := s.signer.SignHTTP(ctx, key, request, noContent, "s3", s.options.Region, time.Now()); err != nil {
		return nil, err
	}
	return s.client.Do(request)
}

// unavailable returns an error that applies to the whole bucket and not only to
// one object.
func (s *S3) unavailable(err error) error {
	return fmt.Errorf("%s %w: %w", s, motion.ErrUnavailable, err)
}

var errorCode = regexp.MustCompile(`<Code>([A-Za-z]{1,64})</Code>`)

// ofBucket maps error codes that apply to all objects to advice.
var ofBucket = map[string]string{
	"AuthorizationHeaderMalformed": "the bucket is in another region",
	"InvalidAccessKeyId":           "check the access key",
	"InvalidBucketName":            "check the name of the bucket",
	"NoSuchBucket":                 "check the name of the bucket",
	"RequestTimeTooSkewed":         "the clocks differ too much",
	"SignatureDoesNotMatch":        "check the secret key",
}

// responseError returns the error for a response. It shows only the code in the
// server's message, because the message may quote signed data.
func (s *S3) responseError(r *http.Response) error {
	head, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10)) // best effort: the status is enough
	code := ""
	if found := errorCode.FindSubmatch(head); found != nil {
		code = string(found[1])
	}
	err := fmt.Errorf("the server responds %s", strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", code)))
	hint, known := ofBucket[code]
	switch {
	case known:
		return s.unavailable(fmt.Errorf("%w: %s", err, hint))
	case r.StatusCode < 400, r.StatusCode == http.StatusTooManyRequests, r.StatusCode >= 500:
		return s.unavailable(err)
	case code == "NoSuchKey", r.StatusCode == http.StatusNotFound && r.Request.Method == http.MethodHead: // HEAD: without a code
		return fs.ErrNotExist
	case r.StatusCode == http.StatusNotFound:
		return s.unavailable(fmt.Errorf("%w, not NoSuchKey: check the endpoint and the access key", err))
	case r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: the key needs s3:GetObject, and s3:ListBucket to be told of a missing object", err)
	}
	return err
}

// checkKey rejects keys that would lead out of a folder. A server or a proxy
// could interpret such a key as a path and return an object of another bucket.
func checkKey(path string) error {
	if path == "" {
		return errors.New("the path is empty")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return errors.New("path escapes from the bucket, or has an empty part")
		}
	}
	return nil
}

// plain removes from an error the parts that change with each attempt, and the
// path, because the caller adds it.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s %s: %w", op.Op, op.Addr, op.Err)
	}
	return err
}

// stallReader is a body that reports each read, so that a stalled server is noticed.
type stallReader struct {
	io.ReadCloser
	progress func()
}

func (r *stallReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.progress()
	}
	return n, err
}

// spooled is a temporary file.
type spooled struct {
	*os.File
	size int64
}

// spool copies size bytes into a temporary file. On systems on which an open
// file can be removed, it removes the name immediately, so that the file is
// gone when the process ends for any reason. On other systems, Close removes
// it.
func spool(from io.Reader, size int64) (*spooled, error) {
	file, err := os.CreateTemp("", "web-backend-motion-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name())
	s := &spooled{file, size}
	if _, err := io.CopyN(file, from, size); err != nil {
		_ = s.Close()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, plain(err)
	}
	return s, nil
}

// Size implements [motion.File].
func (s *spooled) Size() int64 { return s.size }

// Close implements [motion.File].
func (s *spooled) Close() error {
	err := s.File.Close()
	_ = os.Remove(s.Name()) // fails except on Windows, because the file is already removed
	return err
}
