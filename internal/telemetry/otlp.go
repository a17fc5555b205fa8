package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector posts spans as OTLP over HTTP in binary protobuf (OpenTelemetry
// Protocol specification, "OTLP/HTTP"). The variables OTEL_EXPORTER_OTLP_* and
// OTEL_EXPORTER_OTLP_TRACES_* configure it. The latter have priority
// (specification, "OTLP Exporter Configuration").
type collector struct {
	endpoint string
	header   http.Header
	gzip     bool
	timeout  time.Duration // for sending one batch, including all retries
	client   *http.Client
}

var _ otlptrace.Client = (*collector)(nil)

// Defaults of the specification, and the pauses between retries.
const (
	tracesPath      = "/v1/traces"
	defaultTimeout  = 10 * time.Second
	firstPause      = time.Second
	longestPause    = 8 * time.Second
	maxCollectorAck = 64 << 10 // bytes of a response that are read, so that its connection can be reused
)

// otlpVariable returns the value of OTEL_EXPORTER_OTLP_TRACES_name, or of
// OTEL_EXPORTER_OTLP_name.
func otlpVariable(name string) string {
	return firstSet("OTEL_EXPORTER_OTLP_TRACES_"+name, "OTEL_EXPORTER_OTLP_"+name)
}

// newCollector reads the environment. An error names the variable but never
// shows its value, because the value may be a token.
func newCollector() (*collector, error) {
	c := &collector{header: http.Header{}, timeout: defaultTimeout}
	var err error
	if c.endpoint, err = collectorEndpoint(); err != nil {
		return nil, err
	}
	if c.header, err = collectorHeader(otlpVariable("HEADERS")); err != nil {
		return nil, err
	}
	switch otlpVariable("COMPRESSION") {
	case "", "none":
	case "gzip":
		c.gzip = true
	default:
		return nil, errors.New("OTEL_EXPORTER_OTLP_COMPRESSION: want gzip or none")
	}
	if text := otlpVariable("TIMEOUT"); text != "" {
		milliseconds, err := strconv.Atoi(text)
		if err != nil || milliseconds <= 0 {
			return nil, errors.New("OTEL_EXPORTER_OTLP_TIMEOUT: want milliseconds, such as 10000")
		}
		c.timeout = time.Duration(milliseconds) * time.Millisecond
	}
	tlsConfig, err := collectorTLS()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // nothing replaces it here
	transport.TLSClientConfig = tlsConfig
	c.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a redirect would become a GET
	}
	return c, nil
}

// collectorEndpoint returns the URL for posting. It uses the variable for
// traces unchanged, and adds the path for traces to the general one.
func collectorEndpoint() (string, error) {
	name, path := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	text := os.Getenv(name)
	if text == "" {
		name, path = "OTEL_EXPORTER_OTLP_ENDPOINT", tracesPath
		text = os.Getenv(name)
	}
	endpoint, err := url.Parse(text)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return "", fmt.Errorf("%s: want a URL such as http://localhost:4318", name)
	}
	return endpoint.JoinPath(path).String(), nil
}

// collectorHeader parses key=value pairs separated by commas. Values are
// escaped as in a URL.
func collectorHeader(text string) (http.Header, error) {
	header := http.Header{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, escaped, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(escaped))
		if key = strings.TrimSpace(key); !found || key == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: want key=value pairs between commas, with values escaped as in a URL")
		}
		header.Add(key, value)
	}
	return header, nil
}

// collectorTLS returns a configuration that trusts the configured certificate
// in addition to those of the system, and that sends the client's certificate.
func collectorTLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := otlpVariable("CERTIFICATE"); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE: the file has no certificate (PEM)")
		}
	}
	certificate, key := otlpVariable("CLIENT_CERTIFICATE"), otlpVariable("CLIENT_KEY")
	if certificate != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Start implements [otlptrace.Client]. It does not connect; the first upload
// does.
func (c *collector) Start(context.Context) error { return nil }

// Stop implements [otlptrace.Client].
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements [otlptrace.Client]. Until the timeout, it retries if
// the collector may accept the batch later.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// TracesData has the same wire format as the ExportTraceServiceRequest of
	// the specification. The package of the latter depends on gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if c.gzip {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(body) // writes to memory
		_ = writer.Close()
		body = packed.Bytes()
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		again, wait, err := c.post(ctx, body)
		if err == nil || !again {
			return err
		}
		if wait < 0 {
			wait = pause
		}
		if deadline, ok := ctx.Deadline(); ok && time.Now().Add(wait).After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// retried are the statuses after which the collector may accept the same batch
// later.
var retried = map[int]bool{
	http.StatusTooManyRequests: true, http.StatusBadGateway: true,
	http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
}

// post sends a body once. again says whether it may be sent again. wait is the
// pause that the collector asks for; it is negative if the collector does not
// ask for one.
func (c *collector) post(ctx context.Context, body []byte) (again bool, wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, 0, errors.New("the endpoint of the collector is not a URL")
	}
	request.Header = c.header.Clone()
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", "web-backend")
	if c.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := c.client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the URL, which may contain a token
		}
		return true, -1, fmt.Errorf("the collector cannot be reached: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxCollectorAck)
	if response.StatusCode/100 == 2 {
		return false, 0, nil
	}
	wait = -1
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		wait = time.Duration(seconds) * time.Second
	}
	return retried[response.StatusCode], wait, fmt.Errorf("the collector responded %d", response.StatusCode)
}
