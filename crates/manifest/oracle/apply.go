package main

import (
	"math/rand"
	"sort"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

func sortStrings(names []string) { sort.Strings(names) }

// The schema of the custom kind on which the applies run; the test reads it from the first line.
const openapi = `{"type":"object","properties":{
"apiVersion":{"type":"string"},"kind":{"type":"string"},
"metadata":{"type":"object","properties":{"name":{"type":"string"},"managedFields":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"object"}}}},
"spec":{"type":"object","required":["n"],"properties":{
 "n":{"type":"integer"},
 "labels":{"type":"object","additionalProperties":{"type":"string"}},
 "atomicMap":{"type":"object","x-kubernetes-map-type":"atomic","additionalProperties":{"type":"string"}},
 "set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
 "atomicList":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"string"}},
 "ports":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port","protocol"],
  "items":{"type":"object","required":["port"],"properties":{"port":{"type":"integer"},"protocol":{"type":"string","default":"TCP"},"name":{"type":"string"},
   "tags":{"type":"object","additionalProperties":{"type":"string"}}}}},
 "inner":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"object","properties":{"c":{"type":"string"},"d":{"type":"string"}}}}},
 "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true}
}}}}`

func converter() managedfields.TypeConverter {
	var definition spec.Schema
	if err := definition.UnmarshalJSON([]byte(openapi)); err != nil {
		panic(err)
	}
	definition.AddExtension("x-kubernetes-group-version-kind", list{object{"group": "example.com", "version": "v1", "kind": "Thing"}})
	converter, err := managedfields.NewTypeConverter(map[string]*spec.Schema{"com.example.v1.Thing": &definition}, false)
	if err != nil {
		panic(err)
	}
	return converter
}

func thing(random *rand.Rand) object {
	spec := object{}
	if maybe(random, 4) {
		spec["n"] = int64(random.Intn(3))
	}
	if maybe(random, 5) {
		spec["labels"] = labels(random)
	}
	if maybe(random, 3) {
		spec["atomicMap"] = labels(random)
	}
	if maybe(random, 5) {
		set := list{}
		for _, item := range some(random, 5, "p", "q", "r", "s") {
			set = append(set, item)
		}
		spec["set"] = set
	}
	if maybe(random, 3) {
		spec["atomicList"] = list{pick(random, "x", "y")}
	}
	if maybe(random, 6) {
		ports := list{}
		for _, port := range some(random, 5, 1, 2, 3) {
			item := object{"port": int64(port)}
			if maybe(random, 3) {
				item["protocol"] = pick(random, "TCP", "UDP")
			}
			if maybe(random, 4) {
				item["name"] = pick(random, "m", "n")
			}
			if maybe(random, 3) {
				item["tags"] = labels(random)
			}
			ports = append(ports, item)
		}
		spec["ports"] = ports
	}
	if maybe(random, 5) {
		inner := object{}
		if maybe(random, 5) {
			inner["a"] = pick(random, "1", "2")
		}
		if maybe(random, 5) {
			inner["b"] = pick(random, object{}, object{"c": "1"}, object{"c": "2", "d": "1"})
		}
		spec["inner"] = inner
	}
	if maybe(random, 4) {
		spec["free"] = object{"k": pick[any](random, "1", list{"1"}, object{"l": int64(1)})}
	}
	if maybe(random, 1) && random.Intn(4) == 0 {
		spec["wrong"] = int64(1)
	}
	thing := object{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": object{"name": "t"}}
	if len(spec) > 0 {
		thing["spec"] = spec
	}
	return thing
}

func applies() []string {
	random := rand.New(rand.NewSource(seed + 4))
	gvk := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}
	var definition object
	decode([]byte(openapi), &definition)
	lines := []string{line(definition)}
	types := converter()
	for len(lines) < 51 {
		manager := managedfieldstest.NewTestFieldManager(types, gvk)
		var steps list
		for i := 0; i < 7; i++ {
			config := thing(random)
			if random.Intn(4) > 0 {
				who, force := pick(random, "alice", "bob", "carol"), maybe(random, 4)
				err := manager.Apply(&unstructured.Unstructured{Object: clone(config)}, who, force)
				steps = append(steps, outcome(manager, object{"apply": config, "manager": who, "force": force}, err))
			} else if i > 0 {
				// The server's decoder drops undeclared members before ownership is tracked.
				if spec, ok := config["spec"].(object); ok {
					delete(spec, "wrong")
				}
				who := pick(random, "dave", "erin")
				err := manager.Update(&unstructured.Unstructured{Object: clone(config)}, who)
				steps = append(steps, outcome(manager, object{"update": config, "manager": who}, err))
			}
		}
		lines = append(lines, line(steps))
	}
	return lines
}

func outcome(manager managedfieldstest.TestFieldManager, step object, err error) object {
	if err != nil {
		step["error"] = err.Error()
		if status, ok := err.(errors.APIStatus); ok && status.Status().Details != nil {
			// The causes come in random order, and with them the message of several owners.
			causes := []string{}
			for _, cause := range status.Status().Details.Causes {
				causes = append(causes, cause.Field+": "+cause.Message)
			}
			sort.Strings(causes)
			step["causes"] = causes
		}
		return step
	}
	live := manager.Live().(*unstructured.Unstructured).DeepCopy()
	owners := object{}
	for _, entry := range live.GetManagedFields() {
		var fields any
		decode(entry.FieldsV1.Raw, &fields)
		owners[entry.Manager+"/"+string(entry.Operation)] = fields
	}
	step["owners"] = owners
	live.SetManagedFields(nil)
	step["live"] = live.Object
	return step
}
