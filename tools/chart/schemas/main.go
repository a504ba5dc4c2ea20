// Command schemas writes the strict JSON schemas that kubeconform checks the chart against, out of the OpenAPI
// document of Kubernetes and the custom resource definitions of the modules below: `schemas FOLDER`. What they
// describe in words is left out, and every object takes only the fields that it names.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

const kubernetes = "k8s.io/kubernetes@v1.36.3"

// Definitions in its OpenAPI document, by the name of the schema's file.
var kinds = map[string]string{
	"configmap-v1":                           "io.k8s.api.core.v1.ConfigMap",
	"daemonset-apps-v1":                      "io.k8s.api.apps.v1.DaemonSet",
	"deployment-apps-v1":                     "io.k8s.api.apps.v1.Deployment",
	"horizontalpodautoscaler-autoscaling-v2": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
	"ingress-networking-v1":                  "io.k8s.api.networking.v1.Ingress",
	"job-batch-v1":                           "io.k8s.api.batch.v1.Job",
	"networkpolicy-networking-v1":            "io.k8s.api.networking.v1.NetworkPolicy",
	"persistentvolumeclaim-v1":               "io.k8s.api.core.v1.PersistentVolumeClaim",
	"poddisruptionbudget-policy-v1":          "io.k8s.api.policy.v1.PodDisruptionBudget",
	"secret-v1":                              "io.k8s.api.core.v1.Secret",
	"service-v1":                             "io.k8s.api.core.v1.Service",
	"serviceaccount-v1":                      "io.k8s.api.core.v1.ServiceAccount",
	"statefulset-apps-v1":                    "io.k8s.api.apps.v1.StatefulSet",
}

type definition struct{ file, module, path, version string }

var customKinds = []definition{
	{"httproute-gateway-v1", "sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml", "v1"},
	{"scaledobject-keda-v1alpha1", "github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases/keda.sh_scaledobjects.yaml", "v1alpha1"},
	{"servicemonitor-monitoring-v1", "github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml", "v1"},
	{"prometheusrule-monitoring-v1", "github.com/prometheus-operator/prometheus-operator@v0.85.0", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml", "v1"},
}

type object = map[string]any

func main() {
	if len(os.Args) != 2 {
		fatal(fmt.Errorf("usage: schemas FOLDER"))
	}
	folder := os.Args[1]
	var document struct {
		Definitions map[string]object `json:"definitions"`
	}
	read(kubernetes, "api/openapi-spec/swagger.json", &document)
	wanted := map[string]any{}
	for file, name := range kinds {
		collect(document.Definitions, name, wanted)
		write(folder, file, object{"$comment": kubernetes, "$ref": "definitions.json#/definitions/" + name})
	}
	write(folder, "definitions", object{"$comment": kubernetes, "definitions": wanted})
	for _, kind := range customKinds {
		schema := customSchema(kind)
		schema["$comment"] = kind.module
		write(folder, kind.file, schema)
	}
}

// collect adds a definition, and those that it refers to, with references within one file.
func collect(all map[string]object, name string, wanted map[string]any) {
	if _, there := wanted[name]; there {
		return
	}
	wanted[name] = true
	wanted[name] = strict(all[name], func(reference string) string {
		target := strings.TrimPrefix(reference, "#/definitions/")
		collect(all, target, wanted)
		return reference
	})
}

func customSchema(kind definition) object {
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string `json:"name"`
				Schema struct {
					OpenAPI object `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	read(kind.module, kind.path, &crd)
	for _, version := range crd.Spec.Versions {
		if version.Name == kind.version {
			schema := strict(version.Schema.OpenAPI, nil).(object)
			// The definition leaves metadata to the API server.
			schema["properties"].(object)["metadata"] = object{"$ref": "definitions.json#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
			return schema
		}
	}
	fatal(fmt.Errorf("%s has no version %s", kind.path, kind.version))
	return nil
}

// strict is the schema without descriptions, where an object takes only what it names.
func strict(value any, refer func(string) string) any {
	switch value := value.(type) {
	case []any:
		for index := range value {
			value[index] = strict(value[index], refer)
		}
		return value
	case object:
		return strictObject(value, refer)
	default:
		return value
	}
}

func strictObject(from object, refer func(string) string) object {
	if from["x-kubernetes-int-or-string"] == true || from["format"] == "int-or-string" {
		return object{"type": []string{"string", "integer"}}
	}
	to := object{}
	for _, key := range sorted(from) {
		value := from[key]
		switch {
		case key == "description" || key == "format" || key == "default" || key == "title" || strings.HasPrefix(key, "x-kubernetes"):
		case key == "$ref" && refer != nil:
			to[key] = refer(value.(string))
		case key == "properties":
			fields := object{}
			for name, field := range value.(object) {
				fields[name] = strict(field, refer)
			}
			to[key] = fields
		case key == "enum" || key == "required":
			to[key] = value
		default:
			to[key] = strict(value, refer)
		}
	}
	_, named := from["properties"]
	_, more := from["additionalProperties"]
	if named && !more && from["x-kubernetes-preserve-unknown-fields"] != true {
		to["additionalProperties"] = false
	}
	return quantity(from, to)
}

// quantity lets numbers stand where Kubernetes reads quantities: cpu: 2.
func quantity(from, to object) object {
	if text, _ := from["description"].(string); strings.HasPrefix(text, "Quantity is a fixed-point representation") {
		return object{"type": []string{"string", "number"}}
	}
	return to
}

func read(module, path string, into any) {
	output, err := exec.Command("go", "mod", "download", "-json", module).Output()
	fatal(err)
	var found struct{ Dir string }
	fatal(json.Unmarshal(output, &found))
	text, err := os.ReadFile(filepath.Join(found.Dir, path))
	fatal(err)
	fatal(yaml.Unmarshal(text, into))
}

func write(folder, name string, schema object) {
	text, err := json.Marshal(schema)
	fatal(err)
	fatal(os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644))
}

func sorted(from object) []string {
	keys := []string{}
	for key := range from {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}
