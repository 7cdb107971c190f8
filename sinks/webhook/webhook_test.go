package webhook_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"otklik/schemas/schematest"
	"otklik/sinks/webhook"
	"otklik/stream/alert"
	"otklik/stream/spike"
)

func message() *alert.Message {
	row := &alert.Row{Brand: "northair", Episode: spike.Episode{
		Rule: spike.Negativity, OpenedAt: 1_772_000_000_000, PeakAt: 1_772_000_300_000, Severity: spike.Warning,
		Peak: spike.Counts{Negative: 40, Labelled: 50, Mentions: 55}, Baseline: spike.Baseline{Level: 4, Share: 0.2},
	}}
	return alert.NewMessage(row, alert.Opened, &alert.Reason{
		Authors: 30, Audience: 1200, Words: []alert.Part{{Name: "delay"}},
		Samples: []alert.Sample{{Platform: "twitter", ItemID: "1", Author: "ann", Followers: 7, Text: "<b>late</b> & later", URL: "https://example.org/1"}},
	})
}

func receive(t *testing.T, status int) (*httptest.Server, *http.Request, *[]byte) {
	t.Helper()
	got, body := &http.Request{}, &[]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*got, *body = *r, text
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server, got, body
}

func TestJSON(t *testing.T) {
	server, got, body := receive(t, http.StatusNoContent)
	at := time.Unix(1_772_000_400, 0)
	hook, err := webhook.New(webhook.Config{Kind: webhook.JSON, URL: server.URL, Secret: "key", Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	m := message()
	if err := hook.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if want := webhook.Sign("key", at, *body); got.Header.Get(webhook.HeaderSignature) != want || !strings.HasPrefix(want, "t=1772000400,v1=") {
		t.Errorf("signature %q, want %q", got.Header.Get(webhook.HeaderSignature), want)
	}
	if key := got.Header.Get(webhook.HeaderKey); key != m.ID+" opened" {
		t.Errorf("key %q", key)
	}
	if err := schematest.Load(t, "../../schemas/alert.schema.json").Check(*body); err != nil {
		t.Errorf("the body does not keep the schema: %v", err)
	}
	var back alert.Message
	if err := json.Unmarshal(*body, &back); err != nil {
		t.Fatal(err)
	}
	if back.ID != m.ID || back.Factor != 10 || back.Severity != "warning" || back.Why == nil || len(back.Why.Samples) != 1 || back.ClearedAt != 0 {
		t.Errorf("message %+v", back)
	}
}

func TestPeople(t *testing.T) {
	for kind, want := range map[webhook.Kind]string{
		webhook.Slack:    "&lt;b&gt;late&lt;/b&gt; &amp; later",
		webhook.Telegram: "&lt;b&gt;late&lt;/b&gt; &amp; later",
	} {
		server, got, body := receive(t, http.StatusOK)
		hook, err := webhook.New(webhook.Config{Kind: kind, URL: server.URL, Secret: "1:token", Chat: "@desk"})
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if err := json.Unmarshal(*body, &out); err != nil {
			t.Fatal(err)
		}
		text, _ := out["text"].(string)
		if !strings.Contains(text, want) || !strings.Contains(text, "40 of 50 negative") || !strings.Contains(text, "words: delay") {
			t.Errorf("%s: text %q", kind, text)
		}
		if kind == webhook.Telegram && (got.URL.Path != "/bot1:token/sendMessage" || out["chat_id"] != "@desk") {
			t.Errorf("telegram: %s, %v", got.URL.Path, out)
		}
		if got.Header.Get(webhook.HeaderSignature) != "" {
			t.Errorf("%s is signed", kind)
		}
	}
}

// TestErrors checks that a refusal is an error and that errors do not show the address.
func TestErrors(t *testing.T) {
	server, _, _ := receive(t, http.StatusInternalServerError)
	hook, err := webhook.New(webhook.Config{Kind: webhook.Slack, URL: server.URL + "/secret-path"})
	if err != nil {
		t.Fatal(err)
	}
	if err := hook.Send(t.Context(), message()); err == nil || !strings.Contains(err.Error(), "500") || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("error %v", err)
	}
	server.Close()
	if err := hook.Send(t.Context(), message()); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("error %v", err)
	}
	for name, cfg := range map[string]webhook.Config{
		"kind": {Kind: "pigeon", URL: "https://example.org"}, "address": {Kind: webhook.JSON, URL: "example.org"},
		"chat": {Kind: webhook.Telegram, Secret: "1:t"},
	} {
		if _, err := webhook.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
