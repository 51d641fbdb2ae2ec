// Renders the templates of cases.json with Go's own text/template and sprig, and writes what comes
// out, so that our engine has an independent judge: go run . < cases.json > golden.json
package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"text/template"

	sprig "github.com/go-task/slim-sprig"
)

type input struct {
	Data  map[string]any `json:"data"`
	Cases []string       `json:"cases"`
}

type verdict struct {
	Template string  `json:"template"`
	Output   *string `json:"output"`
	// Where it failed: syntax or run.
	Failure string `json:"failure,omitempty"`
	Message string `json:"message,omitempty"`
}

// Whole numbers are ints; $number and $header are what their names say.
func typed(value any) any {
	switch v := value.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			f, _ := v.Float64()
			return f
		}
		i, _ := v.Int64()
		return int(i)
	case []any:
		for i := range v {
			v[i] = typed(v[i])
		}
		return v
	case map[string]any:
		if text, ok := v["$number"].(string); ok {
			return json.Number(text)
		}
		if text, ok := v["$bytes"].(string); ok {
			return []byte(text)
		}
		if fields, ok := v["$header"].(map[string]any); ok {
			header := http.Header{}
			for name, values := range fields {
				for _, text := range values.([]any) {
					header.Add(name, text.(string))
				}
			}
			return header
		}
		for key := range v {
			v[key] = typed(v[key])
		}
		return v
	}
	return value
}

func judge(text string, data any) verdict {
	result := verdict{Template: text}
	tmpl, err := template.New("").Funcs(sprig.TxtFuncMap()).Parse(text)
	if err != nil {
		result.Failure = "syntax"
		result.Message = err.Error()
		return result
	}
	var out bytes.Buffer
	if err = tmpl.Execute(&out, data); err != nil {
		result.Failure = "run"
		result.Message = err.Error()
		return result
	}
	output := out.String()
	result.Output = &output
	return result
}

func main() {
	decode := func() input {
		var in input
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&in); err != nil {
			panic(err)
		}
		return in
	}
	raw = read()
	verdicts := []verdict{}
	for _, text := range decode().Cases {
		// Some functions change the data: everybody gets their own.
		verdicts = append(verdicts, judge(text, typed(decode().Data)))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(verdicts); err != nil {
		panic(err)
	}
}

var raw []byte

func read() []byte {
	var buffer bytes.Buffer
	if _, err := buffer.ReadFrom(os.Stdin); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}
