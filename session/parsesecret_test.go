package session

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestParseSecretTakesRandomBytesInAnyForm(t *testing.T) {
	for range 100 {
		raw := GenerateSecret()
		for form, text := range map[string]string{
			"base64url":           base64.RawURLEncoding.EncodeToString(raw),
			"base64url padded":    base64.URLEncoding.EncodeToString(raw),
			"base64":              base64.StdEncoding.EncodeToString(raw),
			"base64 and a line":   base64.StdEncoding.EncodeToString(raw) + "\n",
			"hexadecimal":         hex.EncodeToString(raw),
			"HEXADECIMAL":         strings.ToUpper(hex.EncodeToString(raw)),
			"hexadecimal, a line": hex.EncodeToString(raw) + "\r\n",
		} {
			got, err := ParseSecret(text)
			if err != nil || !bytes.Equal(got, raw) {
				t.Fatalf("%s: got %v, want the bytes (%s)", form, err, text)
			}
		}
	}
}

func TestParseSecretTakesRandomTextAsItIs(t *testing.T) {
	text := "x9$Kd2!mQ7*vB4&zL8(tR1)wP6^nC3%hJ5@fG0#sD+yE"
	if got, err := ParseSecret(text); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
	raw := make([]byte, 40)
	for i := range raw {
		raw[i] = byte(200 + i) // not UTF-8
	}
	if got, err := ParseSecret(string(raw)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("raw bytes: got %v", err)
	}
}

func TestParseSecretRefusesWhatCanBeGuessed(t *testing.T) {
	short := make([]byte, 24)
	rand.Read(short)
	const (
		words   = "the secret looks like words, which can be guessed; expected random bytes"
		repeats = "the secret repeats itself, expected random bytes"
	)
	for text, want := range map[string]string{
		"": "the secret looks like words", "secret": "the secret is 4 bytes in base64, expected at least 32 random bytes",
		"correct horse battery staple correct horse battery staple":        words,
		"correct-horse-battery-staple-correct-horse-battery":               words,
		"correcthorsebatterystaplecorrecthorsebatterystap":                 words,
		"thequickbrownfoxjumpsoverthelazydogandrunsaway.":                  words,
		"A1a-A1a-A1a-A1a-A1a-A1a-A1a-A1a-A1a-A1a-A1a-":                     repeats,
		strings.Repeat("0", 64):                                            repeats,
		strings.Repeat("deadbeef", 8):                                      repeats,
		strings.Repeat("0123456789abcdef", 4):                              repeats,
		strings.Repeat("Aa1-", 16):                                         repeats,
		strings.Repeat("\xff", 40):                                         repeats,
		hex.EncodeToString(short):                                          "the secret is 24 bytes in hexadecimal, expected at least 32 random bytes",
		base64.StdEncoding.EncodeToString(short):                           "the secret is 24 bytes in base64, expected at least 32 random bytes",
		"x9$Kd2!mQ7*vB4&zL8(tR1)wP6^nC3%hJ5":                               "the secret is a text of 34 characters, expected at least 43 random ones",
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_": words,
	} {
		got, err := ParseSecret(text)
		if err == nil || got != nil || text != "" && err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
		if err != nil && text != "" && text != "secret" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: the error quotes it", text)
		}
	}
}
