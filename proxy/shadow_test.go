package proxy

import (
	"net/http/httptest"
	"testing"

	"github.com/claimproxy/claimproxy/policy"
)

// TestShadowsAreToldAndNeverDecide: a difference is one between rule and shadow.
// What the route demands beyond its rule would be demanded of the shadow as well.
func TestShadowsAreToldAndNeverDecide(t *testing.T) {
	var event Event
	h := build(t, []Route{{Path: "/", Allow: newRules(t).of("public"), Upstream: newWire(t).upstream()}}, func(c *Config) {
		c.Observe = func(e Event) { event = e }
	})
	shadow := func(o policy.Outcome) *policy.Shadow { return &policy.Shadow{Policy: "sysadmins", Outcome: o} }
	for name, test := range map[string]struct {
		verdict  Verdict
		decision string
		shadow   string
		differs  bool
	}{
		"none":                          {Verdict{Outcome: Allow, Decision: policy.Decision{Outcome: policy.Allow}}, "allow", "", false},
		"none, and nothing was decided": {Verdict{Outcome: BadCredentials}, "deny", "", false},
		"the same":                      {Verdict{Outcome: Allow, Decision: policy.Decision{Outcome: policy.Allow, Shadow: shadow(policy.Allow)}}, "allow", "allow", false},
		"it would deny":                 {Verdict{Outcome: Allow, Decision: policy.Decision{Outcome: policy.Allow, Shadow: shadow(policy.Deny)}}, "allow", "deny", true},
		"it would allow":                {Verdict{Decision: policy.Decision{Shadow: shadow(policy.Allow)}}, "deny", "allow", true},
		"both want somebody":            {Verdict{Outcome: SignIn, Decision: policy.Decision{Outcome: policy.SignIn, Shadow: shadow(policy.SignIn)}}, "sign-in", "sign-in", false},
		"the route denies later":        {Verdict{Decision: policy.Decision{Outcome: policy.Allow, Shadow: shadow(policy.Allow)}}, "deny", "allow", false},
		"the route denies later, as it": {Verdict{Decision: policy.Decision{Outcome: policy.Allow, Shadow: shadow(policy.Deny)}}, "deny", "deny", true},
	} {
		t.Run(name, func(t *testing.T) {
			x := h.proxy.begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			x.verdict = test.verdict
			h.proxy.end(x)
			policyName := ""
			if test.shadow != "" {
				policyName = "sysadmins"
			}
			if event.Decision != test.decision || event.Shadow != test.shadow || event.ShadowPolicy != policyName || event.ShadowDiffers != test.differs {
				t.Errorf("got %q beside %q (%q), differs: %v", event.Shadow, event.Decision, event.ShadowPolicy, event.ShadowDiffers)
			}
		})
	}
}
