// Renders a Helm chart without Helm: text/template, sprig and Helm's own functions, as far as charts
// without dependencies, hooks and libraries use them. Prints JSON: the text of each template, and NOTES.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o chart-renderer ./test/deploy/chart-renderer
//	./chart-renderer CHART RELEASE NAMESPACE [VALUES]...
//
// CLUSTER, a YAML file in the environment, is what `lookup` finds: lists by `apiVersion/kind`.
//
// Debian: golang-go golang-github-masterminds-sprig-dev golang-gopkg-yaml.v3-dev.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type object = map[string]interface{}

// What `helm template` claims to talk to unless it is told otherwise.
const kubeVersion = "v1.29.0"

var apiVersions = versionSet{"v1", "apps/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1"}

// includeDepthMax is Helm's recursionMaxNums: a template that includes itself ends there.
const includeDepthMax = 1000

type versionSet []string

func (set versionSet) Has(name string) bool {
	for _, one := range set {
		if one == name {
			return true
		}
	}
	return false
}

type files map[string]string

func (all files) Get(name string) string { return all[name] }

func (all files) GetBytes(name string) []byte { return []byte(all[name]) }

func (all files) Lines(name string) []string {
	return strings.Split(strings.TrimSuffix(all[name], "\n"), "\n")
}

func (all files) Glob(pattern string) files {
	found := files{}
	for name, text := range all {
		if matches, err := path.Match(pattern, name); err == nil && matches {
			found[name] = text
		}
	}
	return found
}

func (all files) AsConfig() string {
	data := map[string]string{}
	for name, text := range all {
		data[path.Base(name)] = text
	}
	return toYaml(data)
}

func (all files) AsSecrets() string {
	data := map[string]string{}
	for name, text := range all {
		data[path.Base(name)] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return toYaml(data)
}

func main() {
	if len(os.Args) < 4 {
		fail(errors.New("usage: chart-renderer CHART RELEASE NAMESPACE [VALUES]..."))
	}
	output, err := render(os.Args[1], os.Args[2], os.Args[3], os.Args[4:])
	if err != nil {
		fail(err)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(output); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "chart-renderer:", err)
	os.Exit(1)
}

type result struct {
	Values    object            `json:"values"`
	Manifests map[string]string `json:"manifests"`
	Notes     string            `json:"notes"`
}

func render(chartDir, release, namespace string, valueFiles []string) (*result, error) {
	chart, err := readYaml(filepath.Join(chartDir, "Chart.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := readYaml(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	for _, name := range valueFiles {
		more, err := readYaml(name)
		if err != nil {
			return nil, err
		}
		values = merge(values, more)
	}
	texts, err := readTree(chartDir)
	if err != nil {
		return nil, err
	}
	root := template.New("chart").Option("missingkey=zero")
	root.Funcs(functions(root))
	plain := files{}
	for name, text := range texts {
		if !strings.HasPrefix(name, "templates/") {
			plain[name] = text
			continue
		}
		if _, err := root.New(nameOf(chart) + "/" + name).Parse(text); err != nil {
			return nil, err
		}
	}
	output := &result{Values: values, Manifests: map[string]string{}}
	for name := range texts {
		base := path.Base(name)
		if !strings.HasPrefix(name, "templates/") || strings.HasPrefix(base, "_") {
			continue
		}
		full := nameOf(chart) + "/" + name
		scope := object{
			"Values":   values,
			"Chart":    withCapitals(chart),
			"Release":  object{"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": true, "IsUpgrade": false, "Revision": 1},
			"Files":    plain,
			"Template": object{"Name": full, "BasePath": nameOf(chart) + "/templates"},
			"Capabilities": object{
				"APIVersions": apiVersions,
				"KubeVersion": object{"Version": kubeVersion, "Major": "1", "Minor": "29", "GitVersion": kubeVersion},
				"HelmVersion": object{"Version": "v3.14.0"},
			},
		}
		var text bytes.Buffer
		if err := root.ExecuteTemplate(&text, full, scope); err != nil {
			return nil, err
		}
		// As Helm does: a value that is missing prints nothing.
		rendered := strings.ReplaceAll(text.String(), "<no value>", "")
		if base == "NOTES.txt" {
			output.Notes = rendered
		} else {
			output.Manifests[name] = rendered
		}
	}
	return output, nil
}

func functions(root *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	// Helm takes these away: a chart must not read the environment of who installs it.
	delete(all, "env")
	delete(all, "expandenv")
	depth := 0
	all["include"] = func(name string, scope interface{}) (string, error) {
		if depth >= includeDepthMax {
			return "", fmt.Errorf("%s includes itself", name)
		}
		depth++
		defer func() { depth-- }()
		var text bytes.Buffer
		err := root.ExecuteTemplate(&text, name, scope)
		return text.String(), err
	}
	all["tpl"] = func(text string, scope interface{}) (string, error) {
		clone, err := root.Clone()
		if err != nil {
			return "", err
		}
		parsed, err := clone.New("tpl").Parse(text)
		if err != nil {
			return "", err
		}
		var rendered bytes.Buffer
		err = parsed.Execute(&rendered, scope)
		return strings.ReplaceAll(rendered.String(), "<no value>", ""), err
	}
	all["required"] = func(message string, value interface{}) (interface{}, error) {
		if text, isText := value.(string); value == nil || isText && text == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	// Nothing, as in `helm template`, unless the test says what the cluster has.
	all["lookup"] = func(apiVersion, kind, namespace, name string) (object, error) {
		cluster := os.Getenv("CLUSTER")
		if cluster == "" {
			return object{}, nil
		}
		found, err := readYaml(cluster)
		list, _ := found[apiVersion+"/"+kind].([]interface{})
		return object{"items": list}, err
	}
	all["toYaml"] = toYaml
	all["fromYaml"] = func(text string) object {
		value, err := parseYaml([]byte(text))
		if err != nil {
			return object{"Error": err.Error()}
		}
		parsed, _ := value.(object)
		return parsed
	}
	all["fromYamlArray"] = func(text string) []interface{} {
		value, err := parseYaml([]byte(text))
		if err != nil {
			return []interface{}{err.Error()}
		}
		parsed, _ := value.([]interface{})
		return parsed
	}
	return all
}

// toYaml goes by way of JSON as Helm does, so that a whole number keeps its digits.
func toYaml(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return ""
	}
	inBlocks(&node)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func inBlocks(node *yaml.Node) {
	if len(node.Content) > 0 {
		node.Style = 0
	} else if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		var other interface{}
		plain := yaml.Node{Kind: yaml.ScalarNode, Value: node.Value}
		isText := plain.Decode(&other) == nil
		if _, same := other.(string); isText && same && !isOldBool(node.Value) {
			node.Style = 0
		}
	}
	for _, child := range node.Content {
		inBlocks(child)
	}
}

func readYaml(name string) (object, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	value, err := parseYaml(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if value == nil {
		return object{}, nil
	}
	parsed, isObject := value.(object)
	if !isObject {
		return nil, fmt.Errorf("%s is no mapping", name)
	}
	return parsed, nil
}

// parseYaml reads as Helm does: every number is a float64, and YAML 1.1's yes, no, on and off are
// booleans.
func parseYaml(text []byte) (interface{}, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	if node.Kind == 0 {
		return nil, nil
	}
	oldBools(&node)
	var value interface{}
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	return asJSON(value)
}

func isOldBool(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}

func oldBools(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.Style == 0 && node.Tag == "!!str" && len(node.Value) > 1 && isOldBool(node.Value) {
		isOn := strings.EqualFold(node.Value, "yes") || strings.EqualFold(node.Value, "on")
		node.Tag, node.Value = "!!bool", fmt.Sprint(isOn)
	}
	for _, child := range node.Content {
		oldBools(child)
	}
}

func asJSON(value interface{}) (interface{}, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var plain interface{}
	err = json.Unmarshal(text, &plain)
	return plain, err
}

// merge lays one file of values over another: mappings join, null takes a default away.
func merge(base, more object) object {
	merged := object{}
	for key, value := range base {
		merged[key] = value
	}
	for key, value := range more {
		inner, isObject := value.(object)
		old, wasObject := merged[key].(object)
		switch {
		case value == nil:
			delete(merged, key)
		case isObject && wasObject:
			merged[key] = merge(old, inner)
		default:
			merged[key] = value
		}
	}
	return merged
}

// readTree reads what Helm packs, by its path in the chart; it follows links, as Helm does.
func readTree(dir string) (map[string]string, error) {
	texts := map[string]string{}
	err := filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.IsDir() {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		texts[filepath.ToSlash(relative)] = string(text)
		return err
	})
	return texts, err
}

func nameOf(chart object) string { return fmt.Sprint(chart["name"]) }

func withCapitals(chart object) object {
	capital := object{}
	for key, value := range chart {
		capital[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return capital
}
