package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// FuzzLoadYAML checks that loading any file returns either faults of one line
// each or a configuration within its bounds. Neither may contain a password
// from a field for passwords.
func FuzzLoadYAML(f *testing.F) {
	for _, path := range []string{localFile, productionFile, "testdata/motion_online.yaml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, seed := range []string{
		"", "---\n", "...\n", "\ufeff", "port: 80\n---\nport: 81\n", "- a", "port: &a [*a]", "logger_cfg: &a {logger_cfg: *a}",
		"<<: {port: 80}", "? [a]\n: b", "port: !!int x", "mongodb_password: *" + secretText, "mongodb_password: |\n  " + secretText,
		"{mongodb_password:" + secretText + "}", "mongodb_password: [" + secretText + "]", "mongodb_password: " + secretText,
		"cors_origins: [5 # " + secretText + "\n]", "a: " + strings.Repeat("[", 200), "\"a\\nb\": 1\n",
		"motion: {data_dir: d, avatars: &a {x: *a, y: {mesh: \"../\\n\"}}}", "motion_file_api_cfg: &a {meta_reader_cfg: *a, mesh_reader_cfg: !unknown x}",
		"motion: {mysql: {host: h, password: " + secretText + "}, s3: {secret_key: [" + secretText + "]}}",
		"motion_file_api_cfg: {meta_reader_cfg: {type: MySQLMetaReader, mysql_port: '1', mysql_password: " + secretText + "},\n mesh_reader_cfg: " +
			"{type: MinioFileReader, secret_key: " + secretText + ", file_paths: {a: 5, \"\\n\": /x}}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLoader()
		l.loadYAML("c.yaml", data)
		l.checkMotion()
		for _, fault := range l.faults {
			if !strings.HasPrefix(fault, "c.yaml:") || strings.ContainsAny(fault, "\n\r\x00") {
				t.Errorf("fault %q", fault)
			}
		}
		if len(l.faults) == 0 {
			checkBounds(t, l.config)
		}
		if onlySecretly(data) {
			text := fmt.Sprintf("%q %v %+v %#v", l.faults, l.config, l.config, *l.config)
			if strings.Contains(text, secretText) {
				t.Errorf("the password is shown: %s", text)
			}
		}
		again := newLoader()
		again.loadYAML("c.yaml", data)
		again.checkMotion()
		if !reflect.DeepEqual(l.faults, again.faults) || !reflect.DeepEqual(l.config, again.config) {
			t.Errorf("the second time differs: %q, then %q", l.faults, again.faults)
		}
	})
}

// checkBounds checks that settings() allows every value.
func checkBounds(t *testing.T, c *Config) {
	t.Helper()
	for _, s := range c.settings() {
		if s.value.isSecret() || s.value.load != nil || s.value.setList != nil {
			continue // its text form does not have the value
		}
		if err := s.value.set(s.value.get()); err != nil {
			t.Errorf("%s is %q: %v", s.key, s.value.get(), err)
		}
	}
}

// onlySecretly reports whether secretText occurs in data only in the plain
// values of passwords. If data is not YAML, it is unknown which parts are
// passwords, so no part may be shown.
func onlySecretly(data []byte) bool {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return strings.Contains(string(data), secretText)
	}
	if len(document.Content) == 0 {
		return false
	}
	secretly := secrets(document.Content[0], 0)
	return secretly > 0 && secretly == strings.Count(string(data), secretText)
}

// secrets counts the occurrences of secretText in the values of passwords, in
// nested mappings.
func secrets(mapping *yaml.Node, depth int) (n int) {
	if mapping.Kind != yaml.MappingNode || depth > 3 {
		return 0
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		switch value := mapping.Content[i+1]; mapping.Content[i].Value {
		case "mongodb_password", "mongodb_admin_password", "password", "mysql_password", "secret_key":
			n += strings.Count(value.Value, secretText)
		default:
			n += secrets(value, depth+1)
		}
	}
	return n
}
