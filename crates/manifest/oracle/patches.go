package main

import (
	"encoding/json"
	"fmt"
	"math/rand"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type object = map[string]any
type list = []any

// maybe keeps a value with the given odds of 10.
func maybe(random *rand.Rand, odds int) bool { return random.Intn(10) < odds }

func pick[T any](random *rand.Rand, from ...T) T { return from[random.Intn(len(from))] }

// some picks items in random order, each with the given odds.
func some[T any](random *rand.Rand, odds int, from ...T) []T {
	var kept []T
	for _, i := range random.Perm(len(from)) {
		if maybe(random, odds) {
			kept = append(kept, from[i])
		}
	}
	return kept
}

func labels(random *rand.Rand) object {
	labels := object{}
	for _, key := range some(random, 5, "a", "b", "c") {
		labels[key] = pick(random, "1", "2")
	}
	return labels
}

func items(random *rand.Rand, make func(string) object, names ...string) list {
	var items list
	for _, name := range some(random, 6, names...) {
		items = append(items, make(name))
	}
	return items
}

func container(random *rand.Rand, name string) object {
	c := object{"name": name, "image": pick(random, "i:1", "i:2")}
	if maybe(random, 5) {
		c["env"] = items(random, func(name string) object { return object{"name": name, "value": pick(random, "1", "2")} }, "A", "B", "C")
	}
	if maybe(random, 5) {
		var ports list
		for _, port := range some(random, 5, 80, 443, 53) {
			ports = append(ports, object{"containerPort": int64(port), "protocol": pick(random, "TCP", "UDP")})
		}
		c["ports"] = ports
	}
	if maybe(random, 4) {
		c["args"] = list{pick(random, "-a", "-b"), "-c"}
	}
	if maybe(random, 4) {
		c["resources"] = object{"limits": labels(random)}
	}
	return c
}

func volume(random *rand.Rand, name string) object {
	v := object{"name": name}
	if maybe(random, 5) {
		v["emptyDir"] = object{}
	} else {
		v["configMap"] = object{"name": pick(random, "c1", "c2"), "defaultMode": int64(pick(random, 420, 256))}
	}
	return v
}

func deployment(random *rand.Rand) object {
	pod := object{}
	if maybe(random, 9) {
		pod["containers"] = items(random, func(name string) object { return container(random, name) }, "x", "y", "z")
	}
	if maybe(random, 5) {
		pod["volumes"] = items(random, func(name string) object { return volume(random, name) }, "v", "w")
	}
	if maybe(random, 4) {
		pod["tolerations"] = items(random, func(name string) object { return object{"key": name, "operator": "Exists"} }, "t", "u")
	}
	if maybe(random, 4) {
		pod["nodeSelector"] = labels(random)
	}
	if maybe(random, 4) {
		pod["imagePullSecrets"] = items(random, func(name string) object { return object{"name": name} }, "s", "r", "q")
	}
	metadata := object{"name": "d"}
	if maybe(random, 6) {
		metadata["labels"] = labels(random)
	}
	if maybe(random, 5) {
		var finalizers list
		for _, name := range some(random, 6, "f/1", "f/2", "f/3") {
			finalizers = append(finalizers, name)
		}
		metadata["finalizers"] = finalizers
	}
	spec := object{"template": object{"metadata": object{"labels": labels(random)}, "spec": pod}}
	if maybe(random, 6) {
		spec["replicas"] = int64(random.Intn(3))
	}
	if maybe(random, 5) {
		spec["strategy"] = object{"type": "Recreate"}
		if maybe(random, 6) {
			spec["strategy"] = object{"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": pick[any](random, int64(1), "25%")}}
		}
	}
	return object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
}

func clone(value object) object {
	var copied object
	text, _ := json.Marshal(value)
	decode(text, &copied)
	return copied
}

// decode reads whole numbers as int64, as the API server does.
func decode(text []byte, into any) {
	if err := json.Unmarshal(text, into); err != nil {
		panic(err)
	}
	if target, ok := into.(*object); ok {
		*target = whole(*target).(object)
	}
}

func whole(value any) any {
	switch typed := value.(type) {
	case object:
		for key, member := range typed {
			typed[key] = whole(member)
		}
	case list:
		for i, item := range typed {
			typed[i] = whole(item)
		}
	case float64:
		if typed == float64(int64(typed)) {
			return int64(typed)
		}
	}
	return value
}

func meta() strategicpatch.LookupPatchMeta {
	meta, err := strategicpatch.NewPatchMetaFromStruct(appsv1.Deployment{})
	if err != nil {
		panic(err)
	}
	return meta
}

// spoil puts directives and nulls into a patch.
func spoil(random *rand.Rand, value any) {
	switch typed := value.(type) {
	case object:
		keys := make([]string, 0, len(typed))
		for key := range typed {
			keys = append(keys, key)
		}
		// Maps have no order, the generator must have one.
		sortStrings(keys)
		for _, key := range keys {
			spoil(random, typed[key])
			if _, isList := typed[key].(list); isList && maybe(random, 2) {
				typed["$setElementOrder/"+key] = order(random, typed[key].(list))
			}
			if key == "finalizers" && maybe(random, 3) {
				typed["$deleteFromPrimitiveList/finalizers"] = list{"f/1"}
			}
			if key != "name" && maybe(random, 1) {
				typed[key] = nil
			}
		}
		if maybe(random, 1) && random.Intn(3) == 0 {
			typed["$patch"] = pick(random, "replace", "delete", "delete", "merge")
		}
		if maybe(random, 1) && random.Intn(3) == 0 {
			typed["$retainKeys"] = list{"type", "name", "configMap", "image"}
		}
	case list:
		for _, item := range typed {
			spoil(random, item)
		}
	}
}

func order(random *rand.Rand, items list) list {
	var order list
	for _, item := range items {
		switch typed := item.(type) {
		case object:
			for _, key := range []string{"name", "containerPort", "key"} {
				if value, ok := typed[key]; ok {
					order = append(order, object{key: value})
					break
				}
			}
		default:
			order = append(order, item)
		}
	}
	if maybe(random, 2) {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order
}

// merge is the reference; what makes it panic is no case.
func merge(original, patch object) (result object, err error, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	result, err = strategicpatch.StrategicMergeMapPatchUsingLookupPatchMeta(clone(original), clone(patch), meta())
	return result, err, true
}

func strategicPatches() []string {
	random := rand.New(rand.NewSource(seed + 2))
	var lines []string
	for len(lines) < 150 {
		original, patch := deployment(random), deployment(random)
		delete(patch, "apiVersion")
		delete(patch, "kind")
		spoil(random, patch)
		kept := object{"original": clone(original), "patch": clone(patch)}
		// The reference walks maps in random order: errors are recorded only where it always finds the same.
		result, err, stable := merge(original, patch)
		for i := 0; i < 8; i++ {
			again, err2, ok := merge(original, patch)
			stable = stable && ok && fmt.Sprint(err) == fmt.Sprint(err2) && line(result) == line(again)
		}
		if !stable {
			continue
		}
		if err != nil {
			kept["error"] = err.Error()
		} else {
			kept["result"] = result
		}
		lines = append(lines, line(kept))
	}
	return lines
}

func threeWay() []string {
	random := rand.New(rand.NewSource(seed + 3))
	var lines []string
	for len(lines) < 80 {
		original := deployment(random)
		modified, current := deployment(random), deployment(random)
		if maybe(random, 3) {
			modified = clone(original)
		}
		if maybe(random, 3) {
			current = clone(modified)
		}
		originalText, modifiedText, currentText := line(original), line(modified), line(current)
		patch, err := strategicpatch.CreateThreeWayMergePatch([]byte(originalText), []byte(modifiedText), []byte(currentText), meta(), true)
		kept := object{"original": clone(original), "modified": clone(modified), "current": clone(current)}
		if err != nil {
			kept["error"] = err.Error()
			lines = append(lines, line(kept))
			continue
		}
		var decoded object
		decode(patch, &decoded)
		kept["patch"] = decoded
		result, err := strategicpatch.StrategicMergeMapPatchUsingLookupPatchMeta(clone(current), clone(decoded), meta())
		if err != nil {
			kept["error"] = err.Error()
		} else {
			kept["result"] = result
		}
		lines = append(lines, line(kept))
	}
	return lines
}
