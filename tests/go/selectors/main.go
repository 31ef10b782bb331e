// Answers questions about label selectors with Kubernetes' own code: a JSON object per line in, one per line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

type question struct {
	Selector json.RawMessage     `json:"selector"`
	Labels   []map[string]string `json:"labels"`
}

type answer struct {
	Error   string `json:"error"`
	Matches []bool `json:"matches"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<16), 1<<24)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Encode(match(asked)); err != nil {
			os.Exit(1)
		}
	}
}

func match(asked question) answer {
	said := answer{Matches: []bool{}}
	var written metav1.LabelSelector
	if err := json.Unmarshal(asked.Selector, &written); err != nil {
		said.Error = err.Error()
		return said
	}
	found, err := metav1.LabelSelectorAsSelector(&written)
	if err != nil {
		said.Error = err.Error()
		return said
	}
	for _, worn := range asked.Labels {
		said.Matches = append(said.Matches, found.Matches(labels.Set(worn)))
	}
	return said
}
