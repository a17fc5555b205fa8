package packages

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds are the types of the Kubernetes API that the manifests may use.
var kinds = map[string]func() any{
	"v1/ConfigMap":                       func() any { return &corev1.ConfigMap{} },
	"v1/Service":                         func() any { return &corev1.Service{} },
	"apps/v1/Deployment":                 func() any { return &appsv1.Deployment{} },
	"apps/v1/StatefulSet":                func() any { return &appsv1.StatefulSet{} },
	"policy/v1/PodDisruptionBudget":      func() any { return &policyv1.PodDisruptionBudget{} },
	"networking.k8s.io/v1/Ingress":       func() any { return &networkingv1.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return &networkingv1.NetworkPolicy{} },
}

// unchecked are the kinds of documents whose types the Kubernetes API does not
// have.
var unchecked = []string{"kustomize.config.k8s.io/v1beta1/Kustomization", "monitoring.coreos.com/v1/ServiceMonitor"}

// manifests returns the objects of all manifests by file. A field that the API
// does not have, or that has another type, is an error.
func manifests(t *testing.T) map[string][]any {
	t.Helper()
	objects := map[string][]any{}
	for _, pattern := range []string{"*.yaml", "*/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, "deploy", "kubernetes", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no manifests: %v", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
				var meta metav1.TypeMeta
				if err := yaml.Unmarshal(document, &meta); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				kind := meta.APIVersion + "/" + meta.Kind
				if slices.Contains(unchecked, kind) {
					continue
				}
				empty, ok := kinds[kind]
				if !ok {
					t.Errorf("%s: %s is no known kind", file, kind)
					continue
				}
				object := empty()
				if err := yaml.UnmarshalStrict(document, object); err != nil {
					t.Errorf("%s: %v", file, err)
				}
				objects[file] = append(objects[file], object)
			}
		}
	}
	return objects
}

func TestKubernetes_PodsAreConfined(t *testing.T) {
	t.Parallel()
	pods := 0
	for file, objects := range manifests(t) {
		for _, object := range objects {
			var spec corev1.PodTemplateSpec
			var selector *metav1.LabelSelector
			switch object := object.(type) {
			case *appsv1.Deployment:
				spec, selector = object.Spec.Template, object.Spec.Selector
			case *appsv1.StatefulSet:
				spec, selector = object.Spec.Template, object.Spec.Selector
				if object.Spec.Replicas == nil || *object.Spec.Replicas != 1 {
					t.Errorf("%s: one process may use the embedded store", file)
				}
			default:
				continue
			}
			pods++
			checkPod(t, file, spec)
			if selector == nil || selector.MatchLabels["app.kubernetes.io/name"] != spec.Labels["app.kubernetes.io/name"] {
				t.Errorf("%s: the selector does not select the pods", file)
			}
		}
	}
	if pods != 2 {
		t.Errorf("there are %d kinds of pods, want 2", pods)
	}
}

// checkPod checks a pod against the restricted profile of the Pod Security
// Standards, and against what this server also needs.
func checkPod(t *testing.T, file string, pod corev1.PodTemplateSpec) {
	t.Helper()
	spec := pod.Spec
	is := func(value *bool, want bool) bool { return value != nil && *value == want }
	if spec.SecurityContext == nil || !is(spec.SecurityContext.RunAsNonRoot, true) ||
		spec.SecurityContext.SeccompProfile == nil || spec.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: the pod is not restricted", file)
	}
	if !is(spec.EnableServiceLinks, false) {
		t.Errorf("%s: a Service would set WEB_BACKEND_PORT", file)
	}
	for _, c := range spec.Containers {
		security := c.SecurityContext
		if security == nil || !is(security.AllowPrivilegeEscalation, false) || !is(security.ReadOnlyRootFilesystem, true) ||
			security.Capabilities == nil || !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: container %s is not restricted", file, c.Name)
		}
		for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
			want := "/health"
			if name == "readiness" {
				want = "/health/ready"
			}
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want {
				t.Errorf("%s: the %s probe is not %s", file, name, want)
			}
		}
		for _, mount := range c.VolumeMounts {
			if !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) && mount.Name != "data" {
				t.Errorf("%s: volume %s does not exist", file, mount.Name)
			}
		}
	}
}

// Every file that a kustomization names exists.
func TestKubernetes_ResourcesAreThere(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"deploy/kubernetes", "deploy/kubernetes/embedded"} {
		text, err := read(folder + "/kustomization.yaml")
		if err != nil {
			t.Fatal(err)
		}
		var kustomization struct{ Resources []string }
		if err := yaml.Unmarshal(text, &kustomization); err != nil || len(kustomization.Resources) == 0 {
			t.Fatalf("%s: %v, %v", folder, kustomization, err)
		}
		for _, resource := range kustomization.Resources {
			if _, err := read(folder + "/" + resource); err != nil {
				t.Error(err)
			}
		}
	}
}
