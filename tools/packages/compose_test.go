package packages

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads a compose file as Docker Compose does. file is relative to the
// root of the repository, or an absolute path. If example is set, the settings
// of .env.example are used.
func load(t *testing.T, file string, example bool, profiles ...string) *types.Project {
	t.Helper()
	options := []cli.ProjectOptionsFn{cli.WithWorkingDirectory(root), cli.WithProfiles(profiles), cli.WithResolvedPaths(true)}
	if example {
		options = append(options, cli.WithEnvFiles(filepath.Join(root, "deploy", "docker", ".env.example")), cli.WithDotEnv)
	}
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	projectOptions, err := cli.NewProjectOptions([]string{path}, options...)
	if err != nil {
		t.Fatal(err)
	}
	project, err := projectOptions.LoadProject(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return project
}

// composeCases are the compose files with the services that each profile
// starts.
var composeCases = []struct {
	file     string
	profiles []string
	services []string
}{
	{"compose.yaml", nil, []string{"mongodb", "web-backend"}},
	{"compose.yaml", []string{"tls"}, []string{"mongodb", "nginx", "web-backend"}},
	{"compose.embedded.yaml", nil, []string{"web-backend"}},
}

func TestCompose_ServicesAreConfined(t *testing.T) {
	t.Parallel()
	for _, tt := range composeCases {
		for _, example := range []bool{false, true} {
			project := load(t, tt.file, example, tt.profiles...)
			if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, tt.services) {
				t.Errorf("%s %v has %v, want %v", tt.file, tt.profiles, got, tt.services)
			}
			for name, service := range project.Services {
				if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || service.Privileged ||
					!slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
					t.Errorf("%s: %s may change its root or gain privileges", tt.file, name)
				}
				if service.Deploy == nil || service.Deploy.Resources.Limits == nil || service.Deploy.Resources.Limits.MemoryBytes == 0 {
					t.Errorf("%s: %s may take all memory", tt.file, name)
				}
				if _, tag, _ := strings.Cut(service.Image, ":"); tag == "" || tag == "latest" {
					t.Errorf("%s: the image of %s is not pinned: %q", tt.file, name, service.Image)
				}
			}
		}
	}
}

func TestCompose_MongoDBIsReachedByWebBackendAlone(t *testing.T) {
	t.Parallel()
	project := load(t, "compose.yaml", false, "tls")
	database := project.Services["mongodb"]
	if len(database.Ports) > 0 || database.NetworkMode != "" {
		t.Errorf("MongoDB is published: %v %s", database.Ports, database.NetworkMode)
	}
	for network := range database.Networks {
		if !project.Networks[network].Internal {
			t.Errorf("MongoDB is on network %s, which is not internal", network)
		}
		if _, ok := project.Services["nginx"].Networks[network]; ok {
			t.Errorf("nginx reaches MongoDB on network %s", network)
		}
	}
	for name, service := range project.Services {
		for key := range service.Environment {
			if (strings.Contains(key, "PASSWORD") || strings.Contains(key, "TOKEN")) && !strings.HasSuffix(key, "_FILE") {
				t.Errorf("%s has a secret in its environment: %s", name, key)
			}
		}
		for _, port := range service.Ports {
			if name == "web-backend" && port.HostIP != "127.0.0.1" {
				t.Errorf("web-backend is published at %q by default", port.HostIP)
			}
		}
	}
	nginx := project.Services["nginx"].Networks["front"].Ipv4Address
	if trusted := project.Services["web-backend"].Environment["WEB_BACKEND_TRUSTED_PROXIES"]; trusted == nil || *trusted != nginx || nginx == "" {
		t.Errorf("trusted is %v, and nginx is at %q", trusted, nginx)
	}
}

// Every file that a compose file mounts exists, or secrets.sh creates it.
func TestCompose_FilesAreThere(t *testing.T) {
	t.Parallel()
	script, err := read("deploy/docker/secrets.sh")
	if err != nil {
		t.Fatal(err)
	}
	project := load(t, "compose.yaml", false, "tls")
	for name, secret := range project.Secrets {
		if filepath.Base(secret.File) != name || !strings.Contains(string(script), " "+name) {
			t.Errorf("secrets.sh does not make %s (%s)", name, secret.File)
		}
	}
	for _, volume := range project.Services["nginx"].Volumes {
		if filepath.Base(volume.Source) == "certs" {
			continue // the operator provides it
		}
		if _, err := os.Stat(volume.Source); err != nil {
			t.Error(err)
		}
	}
}
