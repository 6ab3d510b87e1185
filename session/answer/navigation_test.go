package answer

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhoIsABrowserThatNavigates(t *testing.T) {
	firefox := "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	fetch := func(mode, dest string, more ...string) http.Header {
		h := http.Header{"Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}, "Sec-Fetch-Site": {"none"}}
		for i := 0; i+1 < len(more); i += 2 {
			h.Add(more[i], more[i+1])
		}
		return h
	}
	tests := []struct {
		name     string
		method   string
		header   http.Header
		navigate bool
		page     bool
	}{
		{"browser opens a page", "GET", fetch("navigate", "document", "Accept", firefox), true, true},
		{"browser asks for the headers of a page", "HEAD", fetch("navigate", "document", "Accept", firefox), true, true},
		{"old browser without Fetch metadata", "GET", http.Header{"Accept": {firefox}}, true, true},
		{"browser sends a form", "POST", fetch("navigate", "document", "Accept", firefox), false, true},
		{"page in a frame", "GET", fetch("navigate", "iframe", "Accept", firefox), false, true},
		{"fetch in a page", "GET", fetch("cors", "empty", "Accept", "*/*"), false, false},
		{"fetch in a page that asks for HTML", "GET", fetch("cors", "empty", "Accept", "text/html"), false, false},
		{"event source", "GET", fetch("cors", "empty", "Accept", "text/event-stream"), false, false},
		{"image", "GET", fetch("no-cors", "image", "Accept", "image/avif,*/*"), false, false},
		{"websocket", "GET", fetch("websocket", "empty", "Upgrade", "websocket", "Connection", "Upgrade"), false, false},
		{"websocket without Fetch metadata", "GET", http.Header{"Accept": {"text/html"}, "Upgrade": {"websocket"}}, false, true},
		{"navigation with Basic credentials", "GET", fetch("navigate", "document", "Accept", firefox, "Authorization", "Basic YTpi"), false, true},
		{"native client with a token", "GET", http.Header{"Accept": {"text/html"}, "Authorization": {"Bearer x"}}, false, true},
		{"mode said twice", "GET", http.Header{"Sec-Fetch-Mode": {"navigate", "cors"}, "Sec-Fetch-Dest": {"document"}, "Accept": {firefox}}, false, false},
		{"some metadata without the mode", "GET", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Accept": {firefox}}, false, false},
		{"XMLHttpRequest that says so", "GET", http.Header{"X-Requested-With": {"XMLHttpRequest"}, "Accept": {"application/json"}}, false, false},
		{"curl", "GET", http.Header{"Accept": {"*/*"}, "User-Agent": {"curl/8.0"}}, false, false},
		{"Qt, which says Mozilla", "GET", http.Header{"User-Agent": {"Mozilla/5.0"}}, false, false},
		{"git", "GET", http.Header{"Accept": {"*/*"}, "User-Agent": {"git/2.39"}}, false, false},
		{"lower-case method", "get", http.Header{"Accept": {firefox}}, false, true},
		{"OPTIONS", "OPTIONS", http.Header{"Accept": {firefox}}, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Method, r.Header = test.method, test.header
			if got := IsNavigation(r); got != test.navigate {
				t.Errorf("IsNavigation: got %v, want %v", got, test.navigate)
			}
			if got := WantsPage(r); got != test.page {
				t.Errorf("WantsPage: got %v, want %v", got, test.page)
			}
		})
	}
}

func TestAcceptNamesHTML(t *testing.T) {
	tests := []struct {
		accept []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"*/*"}, false},
		{[]string{"text/*"}, false},
		{[]string{"text/html"}, true},
		{[]string{"TEXT/HTML"}, true},
		{[]string{" text/html ;q=0.5"}, true},
		{[]string{"application/json", "text/html"}, true},
		{[]string{"text/html;level=1;q=1.000"}, true},
		{[]string{"text/html;q=0"}, false},
		{[]string{"text/html; Q=0.000"}, false},
		{[]string{"text/html;q=0.001"}, true},
		{[]string{"text/html;q=0."}, false},
		{[]string{"text/html;q="}, false},
		{[]string{"text/html;q=1.5"}, false},
		{[]string{"text/html;q=-1"}, false},
		{[]string{"text/html;q=0.0001"}, false},
		{[]string{"text/html;q=nan"}, false},
		{[]string{"text/html;q=0.x"}, false},
		{[]string{"text/htmlx"}, false},
		{[]string{"xtext/html"}, false},
		{[]string{"application/json;profile=text/html"}, false},
		{[]string{`application/json;note="a,text/html"`}, false},
		{[]string{`application/json;note="a\",text/html"`}, false},
		{[]string{`application/json;note="a", text/html`}, true},
		{[]string{`application/json;note="never closed, text/html`}, false},
		{[]string{"text/html;q=0, text/html"}, true},
	}
	for _, test := range tests {
		if got := namesHTML(test.accept); got != test.want {
			t.Errorf("namesHTML(%q) = %v, want %v", test.accept, got, test.want)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add(`text/html;q=0.5, */*`)
	f.Add(`a;b="\`)
	f.Fuzz(func(t *testing.T, accept string) {
		once := namesHTML([]string{accept})
		if once != namesHTML([]string{accept, "application/json"}) {
			t.Errorf("another header line changed the reading of %q", accept)
		}
	})
}
