package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// shutdownGrace is how long requests that are under way may take when the server ends.
const shutdownGrace = 5 * time.Second

// Server answers /healthz (the process lives), /readyz (its components work), /metrics (Prometheus) and, to clients on the same
// machine alone, /debug/pprof. Fill the fields, then call Listen and Run, each once.
type Server struct {
	Addr    string // host:port; port 0 takes a free one
	Metrics *Metrics
	Health  *Health
	Log     *slog.Logger

	listener net.Listener
}

// Listen opens the address, so that a port in use is an error of the start and Bound is known before Run.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("listen for metrics and health on %s: %w (choose another address with http.listen, or \"\" to switch it off)", s.Addr, err)
	}
	s.listener = listener
	return nil
}

// Bound returns the address listened on, "" before Listen.
func (s *Server) Bound() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Run serves until ctx ends, then lets requests under way finish for a few seconds. It returns nil when ctx ended it.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	s.Log.Info("serving metrics and health", "addr", s.Bound())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve metrics and health on %s: %w", s.Bound(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		if err := server.Shutdown(grace); err != nil { // a scrape or profile that takes longer is cut off
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

// Handler returns the routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Health.Ready(); err != nil {
			s.answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		s.answer(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(s.Metrics.registry,
		promhttp.HandlerFor(s.Metrics.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)})))
	mux.HandleFunc("/debug/pprof/", localOnly(pprof.Index))
	mux.HandleFunc("/debug/pprof/cmdline", localOnly(pprof.Cmdline))
	mux.HandleFunc("/debug/pprof/profile", localOnly(pprof.Profile))
	mux.HandleFunc("/debug/pprof/symbol", localOnly(pprof.Symbol))
	mux.HandleFunc("/debug/pprof/trace", localOnly(pprof.Trace))
	return mux
}

func (s *Server) answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, text+"\n"); err != nil {
		s.Log.Debug("answering a health request", "error", err)
	}
}

// localOnly serves h to requests whose both ends are loopback addresses and whose Host is one too: a profile shows memory, so
// neither a scrape network nor a web page that rebinds a name to 127.0.0.1 may ask for it.
func localOnly(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if local == nil || !loopback(local.String()) || !loopback(r.RemoteAddr) || !loopback(r.Host) {
			http.Error(w, "profiles are served on loopback only", http.StatusForbidden)
			return
		}
		h(w, r)
	}
}

// loopback reports whether host:port, or a bare host, is this machine.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
