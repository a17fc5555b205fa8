// Package promql checks the queries in deploy/ against the metrics of a running
// server, because a person who reads the queries can overlook faults. It is in
// a separate module, so that the server does not depend on the parser of
// Prometheus.
package promql

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// Query is an expression and the place where it is used.
type Query struct{ Place, Expr string }

// dashboardQueries returns the queries of a Grafana dashboard, except those of
// its variables.
func dashboardQueries(data []byte) ([]Query, error) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	// The values that replace the variables of Grafana.
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", "web-backend", "$instance", ".*")
	var queries []Query
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, Query{panel.Title, fill.Replace(target.Expr)})
		}
	}
	return queries, nil
}

// ruleQueries returns the queries of a file of alert rules.
func ruleQueries(data []byte) ([]Query, error) {
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	var queries []Query
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			queries = append(queries, Query{rule.Alert, rule.Expr})
		}
	}
	return queries, nil
}

// Series maps each metric to its labels, and each label to its values.
type Series map[string]map[string][]string

// scrapeLabels are the labels that Prometheus itself adds to each series.
var scrapeLabels = map[string]bool{"job": true, "instance": true}

// Check returns the faults of a query. A query has a fault if it cannot be
// parsed, or if it uses a metric, a label or a label value that no series has.
func (s Series) Check(query Query) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, query.Place+": "+fmt.Sprintf(format, args...))
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query.Expr)
	if err != nil {
		fault("%v", err)
		return faults
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			if node.Name != "up" { // a metric of Prometheus itself
				s.checkSelector(node, fault)
			}
		case *parser.AggregateExpr:
			for _, name := range node.Grouping {
				if !scrapeLabels[name] && !s.hasLabel(node.Expr, name) {
					fault("no metric below has the label %s", name)
				}
			}
		}
		return nil
	})
	return faults
}

func (s Series) checkSelector(selector *parser.VectorSelector, fault func(string, ...any)) {
	known, ok := s[selector.Name]
	if !ok {
		fault("there is no metric %s", selector.Name)
		return
	}
	for _, matcher := range selector.LabelMatchers {
		if matcher.Name == model.MetricNameLabel || scrapeLabels[matcher.Name] {
			continue
		}
		values, ok := known[matcher.Name]
		if !ok {
			fault("%s has no label %s", selector.Name, matcher.Name)
			continue
		}
		found := false
		for _, value := range values {
			found = found || matcher.Matches(value)
		}
		if !found {
			fault("no %s has %s", selector.Name, matcher)
		}
	}
}

// hasLabel reports whether every metric of an expression has a label.
func (s Series) hasLabel(expr parser.Expr, name string) bool {
	all := true
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			_, has := s[selector.Name][name]
			all = all && has
		}
		return nil
	})
	return all
}
