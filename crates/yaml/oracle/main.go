// Command yaml-oracle records what Go's YAML and JSON libraries make of texts and values. The tests
// of the crate compare with what it wrote; nothing else runs it.
//
//	go run . TESTDATA [SHARED]
//
// It reads TESTDATA/hand.jsonl (one JSON string a line: YAML texts written by hand), makes more texts
// and values from a fixed seed, and writes parse.jsonl, stream.jsonl, emit.jsonl and json.jsonl. With
// SHARED it also writes corpus.txt: a hash of what each YAML file below that folder means.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubejson "sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// Rust refuses lone surrogates and Go replaces them, so texts here are valid UTF-8 throughout.

type parseCase struct {
	Input  string  `json:"input"`
	V2     *string `json:"v2,omitempty"`
	Strict bool    `json:"strict"`
	V3     *string `json:"v3,omitempty"`
	V3Skip bool    `json:"v3_skip,omitempty"`
	Error  string  `json:"error,omitempty"`
}

type streamCase struct {
	Input     string   `json:"input"`
	Documents []string `json:"documents"`
	Error     string   `json:"error,omitempty"`
}

type emitCase struct {
	Value     string `json:"value"`
	V2        string `json:"v2"`
	V3        string `json:"v3"`
	Kustomize string `json:"kustomize"`
}

type jsonCase struct {
	Input  string  `json:"input"`
	Output *string `json:"output,omitempty"`
	Pretty string  `json:"pretty,omitempty"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: yaml-oracle TESTDATA [SHARED]")
		os.Exit(2)
	}
	dir := os.Args[1]
	hand := readHand(filepath.Join(dir, "hand.jsonl"))
	g := &generator{rand.New(rand.NewSource(20261122))}

	parse := writer(filepath.Join(dir, "parse.jsonl"))
	for _, text := range hand {
		parse(parseOne(text))
	}
	for i := 0; i < 1500; i++ {
		parse(parseOne("a: " + g.scalarText() + "\n"))
	}
	for i := 0; i < 300; i++ {
		parse(parseOne(g.scalarText() + ": 1\n"))
	}
	for i := 0; i < 1200; i++ {
		parse(parseOne(g.document()))
	}
	for i := 0; i < 800; i++ {
		parse(parseOne(g.mutate(g.document())))
	}

	stream := writer(filepath.Join(dir, "stream.jsonl"))
	for i := 0; i < 600; i++ {
		stream(streamOne(g.stream()))
	}

	emit := writer(filepath.Join(dir, "emit.jsonl"))
	for i := 0; i < 2500; i++ {
		emit(emitOne(map[string]any{"k": g.nastyString()}))
	}
	for i := 0; i < 500; i++ {
		emit(emitOne(map[string]any{g.nastyString(): 1, g.nastyString(): []any{g.nastyString()}}))
	}
	for i := 0; i < 700; i++ {
		emit(emitOne(g.value(0)))
	}
	for i := 0; i < 300; i++ {
		keys := map[string]any{}
		for j := 0; j < 6; j++ {
			keys[g.keyText()] = j
		}
		emit(emitOne(keys))
	}

	jsons := writer(filepath.Join(dir, "json.jsonl"))
	for i := 0; i < 500; i++ {
		text, _ := json.Marshal(g.value(0))
		jsons(jsonOne(string(text)))
	}
	for i := 0; i < 700; i++ {
		text, _ := json.Marshal(g.value(0))
		jsons(jsonOne(g.mutate(string(text))))
	}
	for i := 0; i < 800; i++ {
		jsons(jsonOne(g.numberText()))
	}

	if len(os.Args) > 2 {
		corpus(os.Args[2], filepath.Join(dir, "corpus.txt"))
	}
}

func readHand(path string) []string {
	data, err := os.ReadFile(path)
	must(err)
	var texts []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var text string
		must(json.Unmarshal([]byte(line), &text))
		texts = append(texts, text)
	}
	return texts
}

func writer(path string) func(any) {
	file, err := os.Create(path)
	must(err)
	return func(v any) {
		if v == nil {
			return
		}
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		must(enc.Encode(v))
		_, err := file.Write(line.Bytes())
		must(err)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func parseOne(text string) parseCase {
	c := parseCase{Input: text}
	out, err := sigsyaml.YAMLToJSON([]byte(text))
	if err == nil {
		s := string(out)
		c.V2 = &s
	} else {
		c.Error = err.Error()
	}
	_, err = sigsyaml.YAMLToJSONStrict([]byte(text))
	c.Strict = err == nil
	var v any
	if err := decodeV3(text, &v); err == nil {
		plain, skip, err := jsonable(v)
		c.V3Skip = skip
		if err == nil && !skip {
			out, err := json.Marshal(plain)
			if err == nil {
				s := string(out)
				c.V3 = &s
			}
		}
	}
	return c
}

func decodeV3(text string, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return yamlv3.Unmarshal([]byte(text), v)
}

// jsonable gives what v is in JSON; skip is set for times and floats that JSON cannot have, which
// this project keeps as text and as they are.
func jsonable(v any) (out any, skip bool, err error) {
	switch v := v.(type) {
	case time.Time:
		return nil, true, nil
	case float64:
		return v, math.IsNaN(v) || math.IsInf(v, 0), nil
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var s bool
			list[i], s, err = jsonable(item)
			skip = skip || s
			if err != nil {
				return nil, skip, err
			}
		}
		return list, skip, nil
	case map[string]any:
		m := map[string]any{}
		for k, item := range v {
			var s bool
			m[k], s, err = jsonable(item)
			skip = skip || s
			if err != nil {
				return nil, skip, err
			}
		}
		return m, skip, nil
	case map[any]any:
		m := map[string]any{}
		for k, item := range v {
			var key string
			switch k := k.(type) {
			case string:
				key = k
			case int:
				key = strconv.Itoa(k)
			case bool:
				key = strconv.FormatBool(k)
			case time.Time:
				return nil, true, nil
			case float64:
				key = strconv.FormatFloat(k, 'g', -1, 32)
				skip = skip || math.IsNaN(k) || math.IsInf(k, 0)
			default:
				return nil, skip, fmt.Errorf("key %v", k)
			}
			var s bool
			m[key], s, err = jsonable(item)
			skip = skip || s
			if err != nil {
				return nil, skip, err
			}
		}
		return m, skip, nil
	}
	return v, false, nil
}

// documents reads a stream as Argo CD and kubectl do.
func documents(text []byte) ([]string, error) {
	d := kubeyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	docs := []string{}
	for {
		ext := runtime.RawExtension{}
		if err := d.Decode(&ext); err != nil {
			if errors.Is(err, io.EOF) {
				return docs, nil
			}
			return docs, err
		}
		raw := bytes.TrimSpace(ext.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		docs = append(docs, string(raw))
	}
}

func streamOne(text string) streamCase {
	docs, err := documents([]byte(text))
	c := streamCase{Input: text, Documents: docs}
	if err != nil {
		c.Error = err.Error()
	}
	return c
}

// emitOne is nil where Go cannot turn the JSON text into YAML: its parser refuses some of it.
func emitOne(v any) any {
	text, err := json.Marshal(v)
	must(err)
	out, err := sigsyaml.JSONToYAML(text)
	if err != nil {
		return nil
	}
	var tree any
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(text, &tree); err != nil {
		return nil
	}
	v3, err := yamlv3.Marshal(tree)
	must(err)
	var kustomize bytes.Buffer
	enc := yamlv3.NewEncoder(&kustomize)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	must(enc.Encode(tree))
	must(enc.Close())
	return emitCase{string(text), string(out), string(v3), kustomize.String()}
}

func jsonOne(text string) jsonCase {
	c := jsonCase{Input: text}
	var v any
	if err := kubejson.UnmarshalCaseSensitivePreserveInts([]byte(text), &v); err != nil {
		return c
	}
	out, err := json.Marshal(v)
	must(err)
	s := string(out)
	pretty, err := json.MarshalIndent(v, "", "  ")
	must(err)
	c.Output, c.Pretty = &s, string(pretty)
	return c
}

func corpus(shared, path string) {
	var files []string
	must(filepath.WalkDir(shared, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() &&
			(strings.HasSuffix(p, ".yaml") || strings.HasSuffix(p, ".yml")) {
			files = append(files, p)
		}
		return nil
	}))
	sort.Strings(files)
	file, err := os.Create(path)
	must(err)
	out := bufio.NewWriter(file)
	defer func() { must(out.Flush()); must(file.Close()) }()
	folder := ""
	for _, p := range files {
		data, err := os.ReadFile(p)
		must(err)
		rel, _ := filepath.Rel(shared, p)
		dir, name := filepath.Split(filepath.ToSlash(rel))
		if dir != folder {
			fmt.Fprintln(out, dir)
			folder = dir
		}
		docs, err := documents(data)
		end := "ok"
		if err != nil {
			end = "error"
		}
		sum := sha256.Sum256([]byte(strings.Join(docs, "\n")))
		in := sha256.Sum256(data)
		fmt.Fprintf(out, "%s %s %d %s %s\n", hex.EncodeToString(in[:3]),
			hex.EncodeToString(sum[:5]), len(docs), end, name)
	}
}
