package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const monitoring = "../../../docs/monitoring"

// TestAlertRulesAreRight, as Prometheus' own tool sees it, and fire when they should.
func TestAlertRulesAreRight(t *testing.T) {
	t.Parallel()
	need(t, prometheusServer)
	promtool(t, "check", "rules", "alerts.yml")
	promtool(t, "test", "rules", "alerts_test.yml")
}

// TestTheDashboardAsksWhatPrometheusUnderstands: each of its questions, with Grafana's
// variables filled in, is a rule that Prometheus would take.
func TestTheDashboardAsksWhatPrometheusUnderstands(t *testing.T) {
	t.Parallel()
	need(t, prometheusServer)
	data, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	n := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			n++
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$route", ".*", "$job", "claimproxy").Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: %s has a variable that nobody fills in", p.Title, target.Expr)
			}
			fmt.Fprintf(&rules, "      - {record: panel_%d, expr: %q}\n", n, expr)
		}
	}
	if n < 10 {
		t.Errorf("found %d questions, want at least 10", n)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir = monitoring
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
