// Answers selector questions with Calico's own parser: a JSON object per line in, one per line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/projectcalico/calico/libcalico-go/lib/selector/parser"
)

type question struct {
	Selector string              `json:"selector"`
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
		said := answer{Matches: []bool{}}
		found, err := parser.Parse(asked.Selector)
		if err != nil {
			said.Error = err.Error()
		} else {
			for _, labels := range asked.Labels {
				said.Matches = append(said.Matches, found.Evaluate(labels))
			}
		}
		if err := out.Encode(said); err != nil {
			os.Exit(1)
		}
	}
}
