package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"otklik/cmd/otklik/internal/ops"
)

func TestCheckReadyAsksTheProcess(t *testing.T) {
	logger, err := ops.NewLogger(t.Output(), "error", "text")
	if err != nil {
		t.Fatal(err)
	}
	health := &ops.Health{}
	health.Expect("engine")
	server := httptest.NewServer((&ops.Server{Metrics: ops.NewMetrics(nil), Health: health, Log: logger}).Handler())
	t.Cleanup(server.Close)

	stdout, _, err := otklik(t, nil, "check", "--ready", server.URL+"/healthz")
	if err != nil || stdout != "ok\n" {
		t.Errorf("/healthz of a process that starts: %q, %v", stdout, err)
	}
	_, _, err = otklik(t, nil, "check", "--ready", server.URL+"/readyz")
	if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "engine: starting") {
		t.Errorf("/readyz of a process that starts: %v; want 503 and what is not ready", err)
	}
	health.Report("engine", nil)
	stdout, _, err = otklik(t, nil, "check", "--ready", server.URL+"/readyz")
	if err != nil || stdout != "ready\n" {
		t.Errorf("/readyz of a process that works: %q, %v", stdout, err)
	}
}

func TestCheckReadyRefuses(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	away := server.URL
	server.Close()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--ready", away + "/readyz"}, "is otklik running"},
		{[]string{"--ready", "127.0.0.1:9464"}, "is no address"},
		{[]string{"--ready", ""}, "is no address"},
		{[]string{"--ready", away, "-c", "otklik.yaml"}, "none of the others can be"},
	} {
		_, _, err := otklik(t, nil, append([]string{"check"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("check %v: %v; want an error with %q", c.args, err, c.want)
		}
	}
}
