package promql

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

const deadline = 30 * time.Second

const operatorToken = "an-operator-token-of-the-tests-0123456789"

// console collects the output of the program, which can be read while the
// program runs.
type console struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.text.String()
}

var announced = regexp.MustCompile(`listening on (http://\S+)\n`)

// serve builds the program, starts it on a free port and returns its address.
func serve(t *testing.T, environment ...string) string {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "web-backend")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/web-backend")
	build.Dir = filepath.Join("..", "..")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	output := &console{}
	command := exec.Command(path)
	command.Dir = folder
	command.Env = append([]string{
		"WEB_BACKEND_PORT=0", "WEB_BACKEND_ACCESS=strict", "WEB_BACKEND_OPERATOR_TOKEN=" + operatorToken,
	}, environment...)
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the program printed\n%s", output)
		}
	})
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if match := announced.FindStringSubmatch(output.String()); match != nil {
			return match[1]
		}
	}
	t.Fatal("the program does not announce itself")
	return ""
}

// send sends a request, which is a POST of JSON if there is a body.
func send(t *testing.T, url, body, token string) (status int, received string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Timeout: deadline}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// scrape returns the series that the server shows to a client with the token.
func scrape(t *testing.T, url string) Series {
	t.Helper()
	status, page := send(t, url+"/metrics", "", operatorToken)
	if status != http.StatusOK {
		t.Fatalf("scrape: %d %s", status, page)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	series := Series{}
	for name, family := range families {
		values := map[string][]string{}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				values[label.GetName()] = append(values[label.GetName()], label.GetValue())
			}
		}
		series[name] = values
		if len(family.GetMetric()) > 0 && family.GetMetric()[0].GetHistogram() != nil {
			buckets := map[string][]string{"le": {"+Inf"}}
			maps.Copy(buckets, values)
			series[name+"_bucket"], series[name+"_sum"], series[name+"_count"] = buckets, values, values
		}
	}
	return series
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every query of the dashboard and of the rules uses only series of a server
// that has had some traffic.
func TestQueries(t *testing.T) {
	motions, err := filepath.Abs(filepath.Join("..", "..", "internal", "motion", "testdata", "golden"))
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, "WEB_BACKEND_MOTION_DATA_DIR="+motions)
	send(t, url+"/api/v1/create_user", `{"user_id":"ada"}`, operatorToken)
	send(t, url+"/api/v1/list_characters/ada", "", operatorToken)
	send(t, url+"/api/v1/authenticate_user", `{"username":"ada","password":"wrong"}`, "")
	if status, _ := send(t, url+"/metrics", "", ""); status != http.StatusUnauthorized {
		t.Errorf("a scrape without a token: got %d, want 401", status)
	}
	series := scrape(t, url)
	// Add a value that only a broken server shows. The label itself always
	// exists.
	requests := series["webbackend_http_requests_total"]
	requests["status"] = append(requests["status"], "500")

	dashboard, err := dashboardQueries(read(t, "grafana/web-backend.json"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := ruleQueries(read(t, "prometheus/alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(dashboard) < 20 || len(rules) < 8 {
		t.Errorf("got %d and %d queries, want 20 and 8 at least", len(dashboard), len(rules))
	}
	used := ""
	for _, query := range append(dashboard, rules...) {
		used += query.Expr + "\n"
		for _, fault := range series.Check(query) {
			t.Error(fault)
		}
	}
	for name := range series {
		if strings.HasPrefix(name, "webbackend_") && !strings.Contains(used, name) && !strings.HasSuffix(name, "_sum") &&
			!strings.HasSuffix(name, "_count") {
			t.Errorf("nothing in deploy asks for %s", name)
		}
	}
}

// A server without motion files has no metrics for them, so the alerts for
// outdated motion files cannot fire.
func TestMotionMetrics_OnlyWithMotionFiles(t *testing.T) {
	t.Parallel()
	for name := range scrape(t, serve(t)) {
		if strings.HasPrefix(name, "webbackend_motion_") {
			t.Errorf("there is %s without motion files", name)
		}
	}
}

// Check finds the faults that it exists for.
func TestCheck_FindsFaults(t *testing.T) {
	t.Parallel()
	series := Series{"a_total": {"kind": {"x", "y"}}}
	for expr, want := range map[string]string{
		`rate(a_total{kind=~"x|z"}[1m])`: "",
		`sum by (kind, job) (a_total)`:   "",
		`rate(a_total[1m]`:               "unclosed",
		`rate(b_total[1m])`:              "no metric b_total",
		`a_total{colour="x"}`:            "no label colour",
		`a_total{kind="z"}`:              `no a_total has kind="z"`,
		`sum by (colour) (a_total)`:      "label colour",
	} {
		got := strings.Join(series.Check(Query{"here", expr}), "; ")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
}

// The scrape file has the format that Prometheus reads: YAML with a token from
// a file.
func TestScrape(t *testing.T) {
	t.Parallel()
	var file struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string `yaml:"job_name"`
			Authorization struct {
				CredentialsFile string `yaml:"credentials_file"`
			}
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus/scrape.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.ScrapeConfigs) != 1 || file.ScrapeConfigs[0].JobName != "web-backend" ||
		file.ScrapeConfigs[0].Authorization.CredentialsFile == "" || len(file.RuleFiles) != 1 {
		t.Errorf("got %+v", file)
	}
}
