package session

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMergeUserinfoBeatsTheIDToken(t *testing.T) {
	claims, origins := Merge(
		Layer{SourceIDToken, Claims{"sub": "u", "email": "old@example.org", "name": "U"}},
		Layer{SourceUserInfo, Claims{"sub": "u", "email": "new@example.org", "groups": []any{"a"}}},
	)
	want := Claims{"sub": "u", "email": "new@example.org", "name": "U", "groups": []any{"a"}}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	wantOrigins := map[string]Source{"sub": SourceIDToken, "email": SourceUserInfo, "name": SourceIDToken, "groups": SourceUserInfo}
	if diff := cmp.Diff(wantOrigins, origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// A userinfo reply is not bound to the login: it may say who the person is in
// further words, and nothing about the token or the act of signing in.
func TestMergeUserinfoCannotSetProtocolClaims(t *testing.T) {
	spoof := Claims{}
	for name := range protocolClaims {
		spoof[name] = "spoofed"
	}
	spoof["email"] = "u@example.org"
	claims, origins := Merge(
		Layer{SourceIDToken, Claims{"sub": "u", "aud": "web", "acr": "silver"}},
		Layer{SourceUserInfo, spoof},
	)
	want := Claims{"sub": "u", "aud": "web", "acr": "silver", "email": "u@example.org"}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	for name, source := range origins {
		if protocolClaims[name] && source == SourceUserInfo {
			t.Errorf("claim %q is said to come from userinfo", name)
		}
	}
	alone, _ := Merge(Layer{SourceUserInfo, spoof})
	if diff := cmp.Diff(Claims{"email": "u@example.org"}, alone); diff != "" {
		t.Errorf("userinfo alone (-want +got):\n%s", diff)
	}
}

func TestMergeTakesProtocolClaimsFromVerifiedSources(t *testing.T) {
	for _, source := range []Source{SourceIDToken, SourceAccessToken, SourceIntrospection, SourceTokenInfo} {
		claims, _ := Merge(Layer{source, Claims{"sub": "u", "scope": "a b", "acr": "gold"}})
		if diff := cmp.Diff(Claims{"sub": "u", "scope": "a b", "acr": "gold"}, claims); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

func TestMergeNobodySetsVirtualClaims(t *testing.T) {
	spoof := Claims{"provider": "other", "auth": "browser", "client_id": "trusted", "name": "U"}
	for _, source := range []Source{SourceIDToken, SourceAccessToken, SourceUserInfo, SourceIntrospection, SourceTokenInfo, SourceVirtual} {
		claims, origins := Merge(Layer{source, spoof})
		if diff := cmp.Diff(Claims{"name": "U"}, claims); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
		if diff := cmp.Diff(map[string]Source{"name": source}, origins); diff != "" {
			t.Errorf("%s: origins (-want +got):\n%s", source, diff)
		}
	}
}

func TestMergeLeavesItsLayersAlone(t *testing.T) {
	idToken, userInfo := Claims{"sub": "u", "email": "a"}, Claims{"email": "b", "provider": "x"}
	claims, _ := Merge(Layer{SourceIDToken, idToken}, Layer{SourceUserInfo, userInfo})
	claims["email"] = "changed"
	if diff := cmp.Diff(Claims{"sub": "u", "email": "a"}, idToken); diff != "" {
		t.Errorf("ID token (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Claims{"email": "b", "provider": "x"}, userInfo); diff != "" {
		t.Errorf("userinfo (-want +got):\n%s", diff)
	}
}

func TestMergeOfNothing(t *testing.T) {
	claims, origins := Merge()
	if claims == nil || origins == nil || len(claims)+len(origins) != 0 {
		t.Errorf("got %v, %v, want empty maps", claims, origins)
	}
}

func TestSetVirtual(t *testing.T) {
	id := &Identity{
		Provider: "invent", ClientID: "web", Auth: AuthBrowser,
		Claims: Claims{"name": "U"}, Origins: map[string]Source{"name": SourceIDToken},
	}
	id.SetVirtual()
	want := Claims{"name": "U", "provider": "invent", "client_id": "web", "auth": "browser"}
	if diff := cmp.Diff(want, id.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	for _, name := range virtualClaims {
		if id.Origins[name] != SourceVirtual {
			t.Errorf("origin of %q: got %q, want %q", name, id.Origins[name], SourceVirtual)
		}
	}
}

func TestSetVirtualLeavesNoClaimOfThatNameBehind(t *testing.T) {
	id := &Identity{
		Provider: "invent", Auth: AuthBearer,
		Claims:  Claims{"client_id": "spoofed", "auth": "client", "provider": "other"},
		Origins: map[string]Source{"client_id": SourceAccessToken},
	}
	id.SetVirtual()
	want := Claims{"provider": "invent", "auth": "bearer"}
	if diff := cmp.Diff(want, id.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if _, ok := id.Origins["client_id"]; ok {
		t.Error("an origin stayed behind for a claim that is not there")
	}
}

// TestTakeOverIsMergeOfOneLayer, whatever names are in it.
func TestTakeOverIsMergeOfOneLayer(t *testing.T) {
	claims := func() Claims {
		return Claims{"sub": "1", "aud": "x", "provider": "evil", "auth": "browser", "client_id": "web", "groups": []any{"a"}, "acr": nil}
	}
	for _, source := range []Source{SourceAccessToken, SourceIDToken} {
		wantClaims, wantOrigins := Merge(Layer{source, claims()})
		gotClaims, gotOrigins := TakeOver(Layer{source, claims()})
		if !reflect.DeepEqual(gotClaims, wantClaims) || !reflect.DeepEqual(gotOrigins, wantOrigins) {
			t.Errorf("got %v of %v, want %v of %v", gotClaims, gotOrigins, wantClaims, wantOrigins)
		}
	}
}
