// Records what Kubernetes' own libraries answer, as testdata of the crate `manifest`.
//
//	go run . ../testdata
//
// Every file is one JSON value or one tab-separated case a line; the generator is seeded, so that a
// second run writes the same bytes.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const seed = 20260731

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: oracle DIR")
		os.Exit(2)
	}
	dir := os.Args[1]
	write(filepath.Join(dir, "quantity", "cases.tsv"), quantities())
	write(filepath.Join(dir, "quantity", "compare.tsv"), comparisons())
	write(filepath.Join(dir, "strategic", "cases.jsonl"), strategicPatches())
	write(filepath.Join(dir, "three_way", "cases.jsonl"), threeWay())
	write(filepath.Join(dir, "apply", "cases.jsonl"), applies())
}

func write(path string, lines []string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		panic(err)
	}
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(file)
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	if err := out.Flush(); err != nil {
		panic(err)
	}
}

func line(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}
