package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// commentedOut matches the lines from which a user removes the # to have motion
// files.
var commentedOut = regexp.MustCompile(`(?m)^( *)# (- .*motion|WEB_BACKEND_MOTION|  persistentVolumeClaim: \{claimName: motion)`)

// withMotionFiles returns a file of the repository with the lines that serve
// motion files enabled.
func withMotionFiles(t *testing.T, name string) []byte {
	t.Helper()
	text, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	if !commentedOut.Match(text) {
		t.Fatalf("%s has no lines for motion files", name)
	}
	return commentedOut.ReplaceAll(text, []byte("$1$2"))
}

// The lines for motion files in the compose files fit together: the folder is
// mounted read-only at the path where the server looks for it.
func TestCompose_MotionFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"compose.yaml", "compose.embedded.yaml"} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, withMotionFiles(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
		service := load(t, file, false).Services["web-backend"]
		folder := service.Environment["WEB_BACKEND_MOTION_DATA_DIR"]
		if folder == nil || !slices.ContainsFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Target == *folder && v.ReadOnly && v.Type == types.VolumeTypeBind
		}) {
			t.Errorf("%s: the volumes are %v, want motion files read-only where the server looks for them", name, service.Volumes)
		}
	}
}

// The lines for motion files in the manifests fit together.
func TestKubernetes_MotionFiles(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(withMotionFiles(t, "deploy/kubernetes/deployment.yaml"), &deployment); err != nil {
		t.Fatal(err)
	}
	checkMotionFiles(t, "deployment.yaml", deployment.Spec.Template.Spec)
	_, set, _ := strings.Cut(string(withMotionFiles(t, "deploy/kubernetes/embedded/statefulset.yaml")), "\n---\n")
	var stateful appsv1.StatefulSet
	if err := yaml.UnmarshalStrict([]byte(set), &stateful); err != nil {
		t.Fatal(err)
	}
	checkMotionFiles(t, "statefulset.yaml", stateful.Spec.Template.Spec)
}

func checkMotionFiles(t *testing.T, file string, pod corev1.PodSpec) {
	t.Helper()
	container := pod.Containers[0]
	variable := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "WEB_BACKEND_MOTION_DATA_DIR" })
	mount := slices.IndexFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "motion" })
	volume := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == "motion" })
	if variable < 0 || mount < 0 || volume < 0 {
		t.Fatalf("%s: variable, mount and volume of motion files are not all there", file)
	}
	if m := container.VolumeMounts[mount]; m.MountPath != container.Env[variable].Value || !m.ReadOnly {
		t.Errorf("%s: motion files are at %s, and the mount is %+v", file, container.Env[variable].Value, m)
	}
	if pod.Volumes[volume].PersistentVolumeClaim == nil {
		t.Errorf("%s: the volume of motion files is no claim", file)
	}
}
