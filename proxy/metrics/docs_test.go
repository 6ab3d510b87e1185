package metrics

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/claimproxy/claimproxy/proxy"
)

const docs = "../../docs/"

// described are the names and the help of all metrics that there can be.
func described(t *testing.T) map[string]string {
	t.Helper()
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		New(Config{}).registry.Describe(ch)
	}()
	said := regexp.MustCompile(`fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)"`)
	all := map[string]string{}
	for d := range ch {
		if m := said.FindStringSubmatch(d.String()); m != nil {
			all[m[1]] = m[2]
		}
	}
	return all
}

// TestDashboardAndAlertsAskForMetricsThatThereAre.
func TestDashboardAndAlertsAskForMetricsThatThereAre(t *testing.T) {
	there := described(t)
	name := regexp.MustCompile(`\b(?:claimproxy|process|go)_[a-z0-9_]+`)
	for _, file := range []string{"monitoring/alerts.yml", "monitoring/alerts_test.yml", "monitoring/dashboard.json", "operations.md", "reload.md"} {
		text, err := os.ReadFile(docs + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range name.FindAllString(string(text), -1) {
			base := found
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if there[found] == "" && there[base] == "" {
				t.Errorf("%s asks for %s, which there is not", file, found)
			}
		}
	}
}

// TestEachMetricAndReasonIsExplained in docs/operations.md, in the words of the program.
func TestEachMetricAndReasonIsExplained(t *testing.T) {
	data, err := os.ReadFile(docs + "operations.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, help := range described(t) {
		if row := "| `" + name + "` | " + help + " |\n"; strings.HasPrefix(name, "claimproxy_") && !strings.Contains(text, row) {
			t.Errorf("docs/operations.md lacks the line\n%s", row)
		}
	}
	for _, r := range proxy.Reasons {
		if row := "| `" + string(r) + "` | " + r.Meaning() + " |\n"; !strings.Contains(text, row) {
			t.Errorf("docs/operations.md lacks the line\n%s", row)
		}
	}
	alerts, err := os.ReadFile(docs + "monitoring/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(alerts), -1) {
		if !strings.Contains(text, "| `"+m[1]+"` | ") {
			t.Errorf("docs/operations.md does not say what to do about %s", m[1])
		}
	}
}
