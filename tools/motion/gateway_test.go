package motion

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"

	"web-backend/internal/backend"
	"web-backend/internal/motion/source"
)

const (
	accessKey   = "reader"
	objectKey   = "what only the server knows" // the secret key
	bucketName  = "3dac"
	startLimit  = time.Minute
	oddKey      = "odd/a+b (c)!'*~@:=&$,;é %41?#.bin"
	oddContents = "odd"
)

// gateway is a server that speaks S3 and checks signatures. It has the golden
// files in a bucket.
type gateway struct {
	t       *testing.T
	address string
	client  *s3.Client // the official client for S3
	stop    func()
}

// startGateway starts a gateway. Only one can run at a time in a process. It
// changes the working folder until the end of the test, because the server does
// so.
func startGateway(t *testing.T) *gateway {
	t.Helper()
	golden := goldenFolder(t)
	sidecar, err := meta.NewSideCar(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	t.Chdir(root)
	store, err := posix.New(root, sidecar, posix.PosixOpts{ForceNoTmpFile: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	g := &gateway{t: t, address: fmt.Sprint("127.0.0.1:", freePort(t))}
	go func() {
		done <- embedgw.RunVersityGW(ctx, store, &embedgw.Config{
			RootUserAccess: accessKey, RootUserSecret: objectKey, Ports: []string{g.address},
			MaxConnections: 100, MaxRequests: 100, MultipartMaxParts: 10000, Quiet: true, KeepAlive: true,
		})
		close(done)
	}()
	g.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the S3 server ended: %v", err)
		}
	}
	t.Cleanup(g.stop)
	g.wait(done)
	g.client = s3.New(s3.Options{
		Region: "us-east-1", UsePathStyle: true, BaseEndpoint: aws.String("http://" + g.address),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: objectKey}, nil
		}),
	})
	if _, err := g.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucketName)}); err != nil {
		t.Fatal(err)
	}
	g.put(oddKey, oddContents)
	err = fs.WalkDir(os.DirFS(golden), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.Contains(path, "/") {
			return err
		}
		content, err := os.ReadFile(filepath.Join(golden, path))
		g.put(strings.TrimPrefix(path, "motion_files/"), string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// wait waits until the server accepts connections. The server does not announce
// it.
func (g *gateway) wait(done <-chan error) {
	g.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	limit := time.After(startLimit)
	for {
		connection, err := net.Dial("tcp", g.address)
		if err == nil {
			connection.Close()
			return
		}
		select {
		case <-again.C:
		case err := <-done:
			g.t.Fatalf("the S3 server ended: %v", err)
		case <-limit:
			g.t.Fatalf("the S3 server does not start: %v", err)
		}
	}
}

func (g *gateway) put(key, content string) {
	g.t.Helper()
	_, err := g.client.PutObject(g.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucketName), Key: aws.String(key), Body: strings.NewReader(content)})
	if err != nil {
		g.t.Fatalf("%s: %v", key, err)
	}
}

func (g *gateway) options() source.S3Options {
	return source.S3Options{Endpoint: g.address, Bucket: bucketName, AccessKey: accessKey, SecretKey: backend.NewSecret(objectKey)}
}
