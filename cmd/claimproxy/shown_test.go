package main

import (
	"crypto/tls"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/claimproxy/claimproxy/cmd/claimproxy/certificates"
)

// A certificate from files is for the hosts that it names; the others are ordered.
func TestCertificateFromFilesGoesBeforeThoseThatAreOrdered(t *testing.T) {
	dir := t.TempDir()
	writePairFor(t, dir, time.Now(), "*.int.example.org")
	s := &shown{
		files:   &certificate{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), now: time.Now, log: slog.New(slog.DiscardHandler)},
		ordered: certificates.New(certificates.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}),
	}
	if err := s.files.load(); err != nil {
		t.Fatal(err)
	}
	s.follow(certificates.Plan{Hosts: []string{"telemetry.example.org", "wiki.int.example.org"}, Store: certificates.Directory(dir)})
	if states := s.ordered.States(); len(states) != 1 || states[0].Host != "telemetry.example.org" {
		t.Errorf("ordered are %+v, want telemetry.example.org alone", states)
	}
	for _, host := range []string{"wiki.int.example.org", "any.int.example.org.", ""} {
		if pair, err := s.get(&tls.ClientHelloInfo{ServerName: host}); err != nil || pair == nil || pair.Leaf.DNSNames[0] != "*.int.example.org" {
			t.Errorf("%q: got %v and %v, want the certificate from files", host, pair, err)
		}
	}
	if pair, err := s.get(&tls.ClientHelloInfo{ServerName: "telemetry.example.org"}); pair != nil || err == nil || !strings.Contains(err.Error(), "yet") {
		t.Errorf("telemetry.example.org: got %v and %v, want that there is none yet", pair, err)
	}
	if ends := s.ends(); len(ends) != 1 || ends[0].Host != "*.int.example.org" || ends[0].Ends.IsZero() {
		t.Errorf("got %+v, want when the one from files ends", ends)
	}
	if got := s.standing(t.Context()); !got.Ready || got.Why != "telemetry.example.org: it is being ordered" {
		t.Errorf("got %+v", got)
	}
}

func TestCertificateFromFilesAloneIsForEverybody(t *testing.T) {
	dir := t.TempDir()
	writePairFor(t, dir, time.Now(), "telemetry.example.org")
	s := &shown{files: &certificate{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), now: time.Now, log: slog.New(slog.DiscardHandler)}}
	if err := s.files.load(); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"telemetry.example.org", "other.example.org", ""} {
		if pair, err := s.get(&tls.ClientHelloInfo{ServerName: host}); err != nil || pair == nil {
			t.Errorf("%q: got %v and %v, want the certificate", host, pair, err)
		}
	}
	var none *shown
	if none.config() != nil || none.ends() != nil {
		t.Error("without tls there is TLS")
	}
}
