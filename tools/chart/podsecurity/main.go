// Command podsecurity reads rendered manifests from standard input and checks their pods against the restricted
// Pod Security Standard, with the evaluator of the admission controller itself. Names given as arguments are
// exempt: they must fail it, so that an exemption that is no longer needed shows.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

type manifest struct {
	Kind     string            `json:"kind"`
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Template *corev1.PodTemplateSpec `json:"template"`
	} `json:"spec"`
}

var workloads = []string{"Deployment", "StatefulSet", "DaemonSet", "Job"}

func main() {
	exempt := os.Args[1:]
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	fatal(err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	pods, wrong := 0, 0
	for {
		text, err := reader.Read()
		if err == io.EOF {
			break
		}
		fatal(err)
		var found manifest
		fatal(yaml.Unmarshal(text, &found))
		if !slices.Contains(workloads, found.Kind) || found.Spec.Template == nil {
			continue
		}
		pods++
		template := found.Spec.Template
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
		name := found.Kind + "/" + found.Metadata.Name
		switch expected := !slices.Contains(exempt, name); {
		case result.Allowed != expected && expected:
			fmt.Printf("%s is not restricted: %s\n", name, result.ForbiddenDetail())
			wrong++
		case result.Allowed != expected:
			fmt.Printf("%s is restricted, and need not be exempt\n", name)
			wrong++
		}
	}
	fmt.Printf("%d pods against the restricted Pod Security Standard, %d wrong\n", pods, wrong)
	if wrong > 0 || pods == 0 {
		os.Exit(1)
	}
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "podsecurity:", err)
		os.Exit(2)
	}
}
